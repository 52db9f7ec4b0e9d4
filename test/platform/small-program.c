/*
 * A program for Windows that answers as octaskly does, as far as install.ps1 asks. VERSION: what it says it is.
 * OCTASKLY_TEST_CALLS names the file to which it adds what else it was told to do.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

int main(int argc, char **argv)
{
    const char *path = getenv("OCTASKLY_TEST_CALLS");
    FILE *calls;

    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        puts("octaskly " VERSION);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "stay") == 0) {
        puts("here");
        fflush(stdout);
        Sleep(60000);
        return 0;
    }
    calls = path == NULL ? NULL : fopen(path, "a");
    if (calls == NULL)
        return 3;
    for (int i = 1; i < argc; i++)
        fprintf(calls, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
    fclose(calls);
    return 0;
}
