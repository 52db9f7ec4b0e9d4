/**
 * The formula by which Homebrew installs a release on macOS and Linux. A `.pkg` would need tools of Apple's.
 *
 * The archives are had where the release is; where nobody said where, beside the formula.
 * Reference: docs.brew.sh, "Formula Cookbook".
 */

import type { ReleaseFile } from '../../../src/core/release-manifest.ts';

export const formulaFile = 'octaskly.rb';

/** Homebrew's words for the devices it runs on. */
const kinds = [
  ['darwin-arm64', 'on_macos', 'on_arm'],
  ['darwin-x64', 'on_macos', 'on_intel'],
  ['linux-arm64', 'on_linux', 'on_arm'],
  ['linux-x64', 'on_linux', 'on_intel'],
] as const;

interface FormulaFacts {
  readonly version: string;
  /** Where the release will be had, without a slash at the end; `null` where nobody said. */
  readonly base: string | null;
  readonly files: readonly ReleaseFile[];
}

/** The text of the formula; `null` for a release without an archive for macOS, which it is for. */
export function formula({ version, base, files }: FormulaFacts): string | null {
  const archives = files.filter(({ kind }) => kind === 'archive');
  if (!archives.some(({ target }) => target?.startsWith('darwin-'))) return null;
  const sources = kinds.flatMap(([name, system, processor]) => {
    const archive = archives.find(({ target }) => target === name);
    if (archive === undefined) return [];
    const url = `${base ?? 'file://#{__dir__}'}/${archive.file}`;
    return [
      `  ${system} do\n    ${processor} do\n      url "${url}"\n      sha256 "${archive.sha256}"\n    end\n  end\n`,
    ];
  });
  return `class Octaskly < Formula
  desc "Share the computing power of the devices on one network"
  homepage "${base ?? 'file://#{__dir__}'}"
  version "${version}"
  license "MIT"

${sources.join('\n')}
  def install
    bin.install "octaskly"
    bash_completion.install "completions/octaskly.bash" => "octaskly"
    zsh_completion.install "completions/_octaskly"
    fish_completion.install "completions/octaskly.fish"
  end

  service do
    run [opt_bin/"octaskly", "worker"]
    keep_alive true
  end

  test do
    assert_equal "octaskly #{version}", shell_output("#{bin}/octaskly version").strip
  end
end
`;
}
