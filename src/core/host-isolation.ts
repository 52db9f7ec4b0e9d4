/**
 * What a machine has to run tasks apart, as facts: what is installed, and which chain of programs worked when it was tried
 * with its real arguments. Found out by `runtime/isolation` at start; what follows from it is `worker/offers` (what is
 * promised) and `worker/sandbox` (how it is made). Pure data.
 */

/** An account of the system. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** What came of trying a level: `why` says what failed, '' when it works. */
export interface Trial {
  readonly works: boolean;
  readonly why: string;
}

export const notTried: Trial = { works: false, why: 'it was not tried' };

/** A way of making the two upper levels, with what came of trying it. */
export interface Confiner {
  readonly strict: Trial;
  readonly veryStrict: Trial;
}

/** Directories of the system a task may see at the upper levels; all absolute. */
export interface SystemPaths {
  /** Bound read-only as they are: `/usr`, and `/bin`, `/lib` … where those are no links. */
  readonly readOnly: readonly string[];
  /** Links at the top, such as `/bin` to `usr/bin`. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** Further software at level strict alone: `/opt`, `/nix`. */
  readonly extra: readonly string[];
  /** Where `/etc/resolv.conf` really is when that is not below `/etc`. */
  readonly resolvConf: string | null;
  /** Private directories; those below a visible one are covered. */
  readonly hidden: readonly string[];
}

/** This program as a launcher, for machines where bubblewrap does not work. */
export interface OwnLauncher {
  /** How it is started, without arguments. */
  readonly self: readonly string[];
  /** Paths of setpriv(1) and unshare(1) of util-linux; where they are missing, namespaces do not work. */
  readonly tools: { readonly setpriv: string; readonly unshare: string };
  readonly namespaces: Confiner;
  readonly landlock: Trial;
}

export interface HostIsolation {
  /** `linux`, `darwin`, `win32`, `android`. */
  readonly platform: string;
  /** `x64`, `arm64`. */
  readonly arch: string;
  /** Who the worker runs as. */
  readonly accountName: string;
  readonly isRoot: boolean;
  /** The worker's process id. */
  readonly pid: number;
  /** Variables by which the worker finds its processes; they hold no secret. */
  readonly marks: readonly string[];
  /** Whom a worker that is root runs tasks as at strict and above; null = nobody was found, or it is not root. */
  readonly taskUser: Account | null;
  readonly paths: SystemPaths;
  readonly bubblewrap: (Confiner & { readonly path: string; readonly version: string }) | null;
  readonly launcher: OwnLauncher | null;
  readonly sandboxExec: { readonly path: string; readonly strict: Trial } | null;
  /** Path of `prlimit(1)`. */
  readonly prlimit: string | null;
  /** The kernel counts processes for each user namespace (Linux 5.14 and later). */
  readonly countsPerNamespace: boolean;
  /** Controllers of a cgroup the worker may make children in. */
  readonly cgroup: { readonly memory: boolean; readonly processes: boolean; readonly cpu: boolean };
  /** Windows holds the trees of tasks together, and to limits. */
  readonly jobObjects: boolean;
  /** The trees of tasks can be looked at while they run. */
  readonly watcher: boolean;
}
