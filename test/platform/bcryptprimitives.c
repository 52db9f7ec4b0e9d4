/* The one function of Windows' bcryptprimitives.dll that the runtime wants, for a Wine (before 8.13) that has no such
 * library: random bytes, from the generator that Wine does have. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(void *buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *buffer, SIZE_T length) {
  const SIZE_T most = 1 << 20;
  for (SIZE_T part; length > 0; buffer += part, length -= part) {
    part = length < most ? length : most;
    if (!SystemFunction036(buffer, (ULONG)part)) return FALSE;
  }
  return TRUE;
}
