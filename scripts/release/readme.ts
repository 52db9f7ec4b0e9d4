/**
 * `README.md` as it lies in an archive, where the pages it links to are not: they are in the program, and `octaskly docs`
 * shows them. Other links into the repository become their words.
 */

/** The text with no link to a file but those in `there`: names of files beside it. */
export function readmeAlone(text: string, there: readonly string[] = ['LICENSE', 'NOTICES.txt']): string {
  return text.replaceAll(/\[([^\]]+)\]\(([^)]+)\)/g, (link, words: string, target: string) => {
    if (/^(?:#|https?:)/.test(target) || there.includes(target)) return link;
    const page = /^docs\/(?:.*\/)?([^/#]+)\.md(?:#.*)?$/.exec(target)?.[1]?.toLowerCase();
    if (page === undefined) return words;
    const command = page === 'readme' ? '`octaskly docs`' : `\`octaskly docs ${page}\``;
    return words === target ? command : `${words} (${command})`;
  });
}
