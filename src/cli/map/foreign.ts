/**
 * Options of GNU parallel that `map` does not take, with what to do instead: fingers that know them get an answer and
 * nothing is ever ignored. Letters and long names without their dashes; the value ends the sentence "There is no option --x: …".
 */

const onFiles = 'name files to bring along with --in and to bring back with --out';
const whole = 'the output of each job is printed whole; follow one as it runs with octaskly logs -f ID';
const arguments_ = 'take several arguments for each job with -N';
const input = 'split the input into files, and give their names as arguments with --in {}';
const workers = 'jobs go to all workers; choose among them with --label K=V';
const room = 'workers start only what there is room for; ask for it with --cpus and --mem';
const asking = 'nobody is asked before a job; see the commands with --dry-run first';
const code = 'only {} {.} {/} {//} {/.} {#} {%} and {N} are replaced; do the rest in the command itself';

export const foreignOptions: Readonly<Record<string, string>> = {
  ...{
    pipe: input,
    'pipe-part': input,
    pipepart: input,
    block: input,
    recend: input,
    recstart: input,
    cat: input,
    fifo: input,
  },
  ...{ X: arguments_, xargs: arguments_, m: arguments_, L: arguments_, l: arguments_, 'max-lines': arguments_ },
  ...{ s: arguments_, 'max-chars': arguments_, x: arguments_, i: 'name the text to replace with -I TEXT' },
  ...{
    S: workers,
    sshlogin: workers,
    sshloginfile: workers,
    slf: workers,
    onall: workers,
    nonall: workers,
    hostgroups: workers,
  },
  ...{ transfer: onFiles, transferfile: onFiles, tf: onFiles, return: onFiles, trc: onFiles, cleanup: onFiles },
  ...{ basefile: onFiles, bf: onFiles, u: whole, ungroup: whole, lb: whole, 'line-buffer': whole, linebuffer: whole },
  ...{ load: room, memfree: room, memsuspend: room, noswap: room, nice: 'use --priority low' },
  ...{
    rpl: code,
    plus: code,
    shuf: 'shuffle the arguments first: shuf list | octaskly map …',
    progress: 'use --bar or --eta',
  },
  ...{
    'retry-failed': 'give the same command line with --resume-failed',
    E: 'end the input where it is to end',
  },
  ...{ D: 'see the commands with --dry-run or -t, and what became of a job with octaskly show ID', p: asking },
  interactive: asking,
  ...{
    sql: 'octaskly keeps the jobs in its own database: octaskly export',
    semaphore: 'use flock(1)',
    tty: 'use octaskly run -t',
  },
};
