/**
 * Options of GNU parallel that `map` does not take, with what to do instead: fingers that know them get an answer and
 * nothing is ever ignored. Letters and long names without their dashes; the value ends the sentence "There is no option --x: …".
 */

/** What to do instead, and for which options. */
const groups: readonly (readonly [instead: string, options: string])[] = [
  [
    'split the input into files, and give their names as arguments with --in {}',
    'pipe pipe-part pipepart spreadstdin block block-size block-timeout bt recend recstart remove-rec-sep removerecsep rrs ' +
      'regexp regex cat fifo round round-robin tee shard bin group-by groupby',
  ],
  ['take several arguments for each job with -N', 'X xargs m L l max-lines s max-chars x exit'],
  ['name the text to replace with -I TEXT', 'i replace U'],
  ['end the input where it is to end', 'E e eof'],
  [
    'jobs go to all workers; choose among them with --label K=V',
    'S sshlogin sshloginfile slf onall nonall hostgroups hgrp filter-hosts ssh ssh-delay controlmaster M rsync-opts ' +
      'limit number-of-cores number-of-cpus number-of-sockets number-of-threads use-cores-instead-of-threads ' +
      'use-cpus-instead-of-cores use-sockets-instead-of-threads',
  ],
  [
    'name files to bring along with --in and to bring back with --out',
    'transfer transferfile tf return trc cleanup basefile bf template tmpl',
  ],
  [
    'the output of each job is printed whole; follow one as it runs with octaskly logs -f ID',
    'u ungroup lb line-buffer linebuffer latest-line latestline ll',
  ],
  ['write the output of each job to files with --results DIR', 'files output-as-files outputasfiles'],
  ['begin each output line with its argument by --tag or --tagstring', 'ctag ctagstring color color-failed cf'],
  [
    'workers start only what there is room for; ask for it with --cpus and --mem',
    'load memfree memsuspend noswap nonoswap',
  ],
  ['use --priority low', 'nice'],
  [
    'only {} {.} {/} {//} {/.} {#} {%} and {N} are replaced; do the rest in the command itself',
    'rpl plus parens bner bnr dnr er basenameextensionreplace basenamereplace dirnamereplace extensionreplace ' +
      'seqreplace slotreplace',
  ],
  ['put the jobs to leave out before ::: in a filter such as grep', 'filter'],
  ['shuffle the arguments first: shuf list | octaskly map …', 'shuf'],
  ["make lines of it first with tabs between the columns, and give -C '\\t'", 'csv'],
  ['leave the line out first: tail -n +2 list | octaskly map …; or name columns with --header :', 'skip-first-line'],
  ['arguments stand behind ::: and files behind :::: only', 'arg-sep argsep arg-file-sep argfilesep'],
  ['use --bar or --eta', 'progress total-jobs total'],
  ['name the log with --joblog', 'jl'],
  ['give the same command line with --resume-failed', 'retry-failed'],
  ['see the commands with --dry-run or -t, and what became of a job with octaskly show ID', 'D verbose'],
  ['nobody is asked before a job; see the commands with --dry-run first', 'p interactive'],
  ['print commands quoted by --dry-run', 'shellquote shell-quote'],
  ['octaskly keeps the jobs in its own database: octaskly export', 'sql sqlmaster sqlworker sqlandworker'],
  ['octaskly keeps the jobs in its own database: octaskly export', 'sql-master sql-worker sql-and-worker'],
  ['use flock(1)', 'semaphore semaphore-name semaphorename semaphore-timeout semaphoretimeout id fg bg st'],
  ['map waits by itself', 'wait'],
  ['use octaskly run -t', 'tty open-tty o tmux tmuxpane'],
  ['give variables with --env K=V', 'record-env session embed profile J process-slot-var'],
  ["'octaskly completion' makes the script for your shell", 'shell-completion'],
  ["'octaskly version' says it", 'V version minversion min-version'],
  [
    'it does nothing here; leave it out',
    'gnu plain silent compress compress-program decompress-program tmpdir tempdir term-seq termseq max-line-length-allowed ' +
      'show-limits hashbang shebang shebang-wrap no-keep-order nokeeporder',
  ],
];

export const foreignOptions: Readonly<Record<string, string>> = Object.fromEntries(
  groups.flatMap(([instead, options]) => options.split(' ').map((option) => [option, instead] as const)),
);
