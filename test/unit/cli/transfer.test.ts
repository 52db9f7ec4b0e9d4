import { describe, expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import { foldersOf } from '../../../src/cli/batch-outputs.ts';
import { FakeDispatcher, problem } from './dispatcher.ts';
import { blobOf, here, MemoryBlobs, MemoryFiles } from './files.ts';
import { Shell, type ShellOptions } from './terminal.ts';

function start(contents: Readonly<Record<string, string>> = {}, options: ShellOptions = {}) {
  const dispatcher = new FakeDispatcher();
  const blobs = new MemoryBlobs();
  dispatcher.intercept = blobs.answer;
  const local = new MemoryFiles(contents);
  const shell = new Shell({ stdin: [], ...options, dispatcher, local });
  return { dispatcher, blobs, local, shell, endAs: (end = {}) => endTasks(dispatcher, end) };
}

function endTasks(dispatcher: FakeDispatcher, end: object): void {
  dispatcher.onSubmit = (id) => dispatcher.end(id, { exit_code: 0, ...end });
}

const requests = (dispatcher: FakeDispatcher) => [...dispatcher.tasks.values()].map((task) => task.request);

describe('--in', () => {
  test('uploads what is missing, once for each content, and names all files', async () => {
    const { dispatcher, blobs, local, shell } = start({
      [`${here}/data/a.csv`]: 'one',
      [`${here}/data/sub/b.csv`]: 'two',
      [`${here}/data/copy`]: 'two',
      [`${here}/tool.sh`]: 'three',
    });
    local.executables.add(`${here}/tool.sh`);
    blobs.blobs.set(blobOf('one'), new TextEncoder().encode('one'));
    expect(await shell.run('submit', '--in', './data/', '--in', 'tool.sh', 'x')).toBe(0);
    expect(requests(dispatcher)[0]?.inputs).toEqual([
      { path: 'data/a.csv', blob: blobOf('one'), bytes: 3 },
      { path: 'data/sub/b.csv', blob: blobOf('two'), bytes: 3 },
      { path: 'data/copy', blob: blobOf('two'), bytes: 3 },
      { path: 'tool.sh', blob: blobOf('three'), bytes: 5, executable: true },
    ]);
    expect(blobs.uploads.map(({ blob }) => blob).sort()).toEqual([blobOf('two'), blobOf('three')].sort());
  });

  test.each([
    ['a/b.txt', `${here}/a/b.txt`, 'a/b.txt'],
    ['./a/./b.txt', `${here}/a/b.txt`, 'a/b.txt'],
    ['../b.txt', '/home/ada/b.txt', 'b.txt'],
    ['/etc/b.txt', '/etc/b.txt', 'b.txt'],
    ['.', `${here}/a/b.txt`, 'a/b.txt'],
    ['..', '/home/ada/b.txt', 'ada/b.txt'],
    ['../other', '/home/ada/other/deep/b.txt', 'other/deep/b.txt'],
  ])('%s is at its place', async (path, source, place) => {
    const { dispatcher, shell } = start({ [source]: 'text' });
    expect(await shell.run('submit', '--in', path, 'x')).toBe(0);
    expect(requests(dispatcher)[0]?.inputs).toEqual([{ path: place, blob: blobOf('text'), bytes: 4 }]);
  });

  test('refuses two files for one place, and a file where a directory is', async () => {
    const { dispatcher, shell } = start({ '/a/x': '1', '/b/x': '2', '/c/x/y': '3' });
    expect(await shell.run('run', '--in', '/a/x', '--in', '/b/x', 'cat x')).toBe(2);
    expect(await shell.run('run', '--in', '/a/x', '--in', '/c/x', 'cat x')).toBe(2);
    expect(shell.stderr.text).toBe(
      [
        'octaskly: /a/x and /b/x would both become "x" in the task. \'octaskly run --help\' says how.',
        'octaskly: /c/x/y cannot become "x/y" in the task: it lies below "x", which is a file. \'octaskly run --help\' says how.\n',
      ].join('\n'),
    );
    expect(dispatcher.requests).toEqual([]);
  });

  test('names a missing file, and submits nothing', async () => {
    const { dispatcher, shell } = start();
    expect(await shell.run('run', '--in', 'none.txt', 'cat none.txt')).toBe(2);
    expect(shell.stderr.text).toBe(
      "octaskly: There is no file or directory none.txt. 'octaskly run --help' says how.\n",
    );
    expect(dispatcher.tasks.size).toBe(0);
  });

  test('sends a large file from where an earlier upload stopped', async () => {
    const text = 'x'.repeat(1_000_000);
    const { blobs, shell } = start({ '/big': text });
    blobs.partial.set(blobOf(text), new TextEncoder().encode(text.slice(0, 400_000)));
    expect(await shell.run('submit', '--in', '/big', 'x')).toBe(0);
    expect(blobs.uploads).toEqual([{ blob: blobOf(text), range: 'bytes 400000-999999/1000000', bytes: 600_000 }]);
  });

  test('starts over when what came in before was of another content', async () => {
    const text = 'x'.repeat(1_000_000);
    const { blobs, shell } = start({ '/big': text });
    blobs.partial.set(blobOf(text), new TextEncoder().encode('y'.repeat(400_000)));
    expect(await shell.run('submit', '--in', '/big', 'x')).toBe(0);
    expect(blobs.uploads.map(({ range }) => range)).toEqual(['bytes 400000-999999/1000000', 'bytes 0-999999/1000000']);
  });

  test.each([10, 1_000_000])('names a file of %d bytes that changed while it was read', async (size) => {
    const { dispatcher, local, shell } = start({ '/log': 'x'.repeat(size) });
    local.onRead = (source) => local.contents.set(source, 'y'.repeat(size));
    expect(await shell.run('run', '--in', '/log', 'wc log')).toBe(125);
    expect(shell.stderr.text).toMatch(/^octaskly: Cannot upload \/log: it changed while it was read\./);
    expect(dispatcher.tasks.size).toBe(0);
  });

  test.each([10, 1_000_000])('names the file of %d bytes that the dispatcher cannot store', async (size) => {
    const { dispatcher, blobs, shell } = start({ '/c': 'x'.repeat(size) });
    dispatcher.intercept = (request) =>
      request.method === 'PUT'
        ? problem(507, 'storage_unavailable', 'Cannot write to /c/d: full.')
        : blobs.answer(request);
    expect(await shell.run('submit', '--in', '/c', 'x')).toBe(1);
    expect(shell.stderr.text).toBe(
      "octaskly: Cannot upload /c: Cannot write to /c/d: full. Try again soon; 'octaskly status' says whether it takes work.\n",
    );
  });

  test("gives up on somebody else's upload of the same content that brings nothing for a minute", async () => {
    const { dispatcher, blobs, shell } = start({ '/c': 'x'.repeat(1_000_000) });
    dispatcher.intercept = (request) => {
      if (request.method !== 'PUT') return blobs.answer(request);
      shell.passedMs += 60_000;
      return problem(409, 'conflict', 'It is coming in already.');
    };
    expect(await shell.run('submit', '--in', '/c', 'x')).toBe(1);
    expect(shell.stderr.text).toBe(
      "octaskly: Cannot upload /c: for 60 s another upload of the same content brought nothing; last answer: It is coming in already. Try again later; 'octaskly ps' shows what goes on.\n",
    );
  });

  test('leaves at the first signal while it uploads, and submits nothing', async () => {
    for (const command of ['run', 'submit']) {
      const { dispatcher, local, shell } = start({ '/log': 'x'.repeat(10) });
      local.onRead = () => shell.signal('SIGINT');
      expect(await shell.run(command, '--in', '/log', 'wc log')).toBe(130);
      expect(dispatcher.tasks.size).toBe(0);
    }
  });

  test('shows progress on a terminal alone, and leaves the line clear', async () => {
    const contents = { '/big': 'x'.repeat(3_000_000) };
    const seen = start(contents, { errorColumns: 80 });
    expect(await seen.shell.run('submit', '--in', '/big', 'x')).toBe(0);
    expect(seen.shell.stderr.text).toContain('Sending');
    expect(seen.shell.stderr.text).toEndWith('\r\u001b[K');
    const unseen = start(contents);
    expect(await unseen.shell.run('submit', '--in', '/big', 'x')).toBe(0);
    expect(unseen.shell.stderr.text).toBe('');
  });
});

describe('--out', () => {
  test('brings files here after run, and says what is missing', async () => {
    const { dispatcher, blobs, local, shell, endAs } = start();
    blobs.addOutput('out/a.txt', 'one');
    blobs.addOutput('run.sh', 'two', true);
    endAs();
    expect(await shell.run('run', '--out', './out/', '--out', '*.sh', 'make')).toBe(0);
    expect(requests(dispatcher)[0]?.outputs).toEqual(['out', '*.sh']);
    expect([...local.created]).toEqual([
      [`${here}/out/a.txt`, 'one'],
      [`${here}/run.sh`, '*two'],
    ]);
    blobs.problems.push('"lost" is not there.');
    expect(await shell.run('run', '--out', '*.log', 'make')).toBe(125);
    expect(await shell.run('submit', '--wait', '--out', '*.log', 'make')).toBe(125);
    expect(shell.stderr.text).toContain(
      'octaskly: Task 01hq3v5k0002: "lost" is not there.\noctaskly: Task 01hq3v5k0002: It left no file that matches *.log.\n',
    );
    endAs({ status: 'failed', exit_code: 3 });
    expect(await shell.run('run', '--out', '*.log', 'make')).toBe(3);
  });

  test('never takes a path that leads out, nor bytes with another hash', async () => {
    const { blobs, local, shell, endAs } = start();
    blobs.addOutput('../evil', 'one');
    blobs.addOutput('damaged', 'two');
    blobs.blobs.set(blobOf('two'), new TextEncoder().encode('tw0'));
    blobs.addOutput('good', 'three');
    endAs();
    expect(await shell.run('run', '--out', '.', 'make')).toBe(125);
    expect([...local.created]).toEqual([[`${here}/good`, 'three']]);
    expect(shell.stderr.text).toContain('Cannot fetch ../evil: Its path holds ".."');
    expect(shell.stderr.text).toContain(
      'Cannot fetch damaged: What came is not what the worker stored: it is damaged at the dispatcher.\n',
    );
  });

  test('goes on with what a killed fetch left, and starts anew when that was damaged', async () => {
    const { blobs, local, shell, endAs } = start();
    blobs.addOutput('good', 'content');
    blobs.addOutput('bad', 'another');
    local.left.set(blobOf('content'), 'con');
    local.left.set(blobOf('another'), 'oh');
    endAs();
    expect(await shell.run('run', '--out', '.', 'make')).toBe(0);
    expect(local.created.get(`${here}/good`)).toBe('content');
    expect(local.created.get(`${here}/bad`)).toBe('another');
    expect(blobs.downloads.sort()).toEqual([0, 2, 3]);
  });

  test('refuses a pattern that leads out before anything is submitted', async () => {
    const { dispatcher, shell } = start();
    expect(await shell.run('run', '--out', '../x', 'make')).toBe(2);
    expect(await shell.run('run', '--out', '/tmp/x', 'make')).toBe(2);
    expect(shell.stderr.text).toContain('--out ../x is not below the task directory: it holds "..";');
    expect(dispatcher.tasks.size).toBe(0);
  });
});

describe('map', () => {
  test('replaces placeholders in --in and --out for each job, names of files as they are', async () => {
    const { dispatcher, blobs, shell, endAs } = start({ [`${here}/a b.wav`]: '1', [`${here}/c[1].wav`]: '2' });
    blobs.addOutput('a b.mp3', 'x');
    blobs.addOutput('c[1].mp3', 'x');
    endAs();
    const line = ['map', '--in', '{}', '--out', '{.}.mp3', 'lame {} {.}.mp3', ':::', 'a b.wav', 'c[1].wav'];
    expect(await shell.run(...line)).toBe(0);
    expect(requests(dispatcher)).toEqual([
      {
        inputs: [{ path: 'a b.wav', blob: blobOf('1'), bytes: 1 }],
        ...{ outputs: ['a b.mp3'], command: "lame 'a b.wav' 'a b'.mp3", attached: true, max_output: 2 ** 30 },
      },
      {
        inputs: [{ path: 'c[1].wav', blob: blobOf('2'), bytes: 1 }],
        ...{ outputs: ['c[[]1].mp3'], command: "lame 'c[1].wav' 'c[1]'.mp3", attached: true, max_output: 2 ** 30 },
      },
    ]);
  });

  test('looks once for files that all jobs bring, and counts a job whose files are missing as failed', async () => {
    const { dispatcher, blobs, local, shell, endAs } = start({ [`${here}/model`]: 'm' });
    blobs.problems.push('no');
    endAs();
    expect(await shell.run('map', '--in', 'model', '--out', '{}.txt', 'x {}', ':::', '1', '2', '3')).toBe(3);
    expect([local.hashes, dispatcher.tasks.size, blobs.uploads.length]).toEqual([1, 3, 1]);
  });
});

test('batch uploads paths of files from the folder of its manifest', async () => {
  const manifest = '{"tasks": [{"command": "x", "inputs": ["data", {"path": "p", "blob": "b"}]}, {"command": "y"}]}';
  const { dispatcher, shell } = start(
    { [`${here}/jobs/data/x.csv`]: '1' },
    { files: { 'jobs/nightly.json': manifest } },
  );
  expect(await shell.run('batch', 'jobs/nightly.json')).toBe(0);
  expect(requests(dispatcher)).toEqual([
    { command: 'x', inputs: [{ path: 'p', blob: 'b' } as never, { path: 'data/x.csv', blob: blobOf('1'), bytes: 1 }] },
    { command: 'y' },
  ]);
});

test('limits and the level go with the request, in the units of the API', async () => {
  const { dispatcher, shell } = start();
  const flags = ['--cpu-time', '90s', '--mem-limit', '2G', '--disk-limit', '10G', '--max-open-files', '64'];
  expect(
    await shell.run('submit', ...flags, '--max-processes', '9', '--sandbox', 'strict', '--network', '--', 'x'),
  ).toBe(0);
  expect(requests(dispatcher)).toEqual([
    {
      ...{ command: 'x', cpu_time_limit: 90, memory_limit_mb: 2048, disk_limit_mb: 10_240, max_open_files: 64 },
      ...{ max_processes: 9, sandbox_level: 'strict', network: true },
    },
  ]);
});

test('run exits with 125 for an exceeded limit and names it', async () => {
  const { shell, endAs } = start();
  endAs({ status: 'failed', exit_code: null, reason: 'exceeded its memory_limit_mb of 64 MB (reached 66)' });
  expect(await shell.run('run', 'hog')).toBe(125);
  expect(shell.stderr.text).toBe(
    'octaskly: Task 01hq3v5k0001 failed: exceeded its memory_limit_mb of 64 MB (reached 66)\n',
  );
});

describe('outputs', () => {
  function withFiles() {
    const given = start();
    given.blobs.addOutput('report.txt', 'hello');
    given.blobs.addOutput('img/a.png', 'a', true);
    given.endAs();
    return given;
  }

  test('lists them in each form', async () => {
    const { shell } = withFiles();
    await shell.run('submit', 'x');
    expect(await shell.run('outputs', 'last')).toBe(0);
    expect(await shell.run('outputs', 'last', '-o', 'quiet')).toBe(0);
    const [, titles, ...rows] = shell.stdout.text.split('\n');
    expect(titles).toMatch(/^SIZE {2}X {2}HASH +PATH$/);
    expect(rows.slice(0, 2)).toEqual([` 5 B     ${blobOf('hello')}  report.txt`, ` 1 B  x  ${blobOf('a')}  img/a.png`]);
    expect(rows.slice(2)).toEqual(['report.txt', 'img/a.png', '']);
  });

  test('says where files are that stayed with a worker, as was asked for', async () => {
    const { shell, blobs, dispatcher } = withFiles();
    blobs.keeper = 'pi-2';
    await shell.run('submit', '--out', '*', '--outputs-at', 'worker', 'x');
    expect([...dispatcher.tasks.values()].map((task) => task.view.outputs_at)).toEqual(['worker']);
    expect(await shell.run('outputs', 'last')).toBe(0);
    const [, titles, first] = shell.stdout.text.split('\n');
    expect([titles, first]).toEqual([
      expect.stringMatching(/^SIZE {2}X {2}HASH +AT {4}PATH$/),
      ` 5 B     ${blobOf('hello')}  pi-2  report.txt`,
    ]);
  });

  test('brings all, or those named, to a directory', async () => {
    const { local, shell } = withFiles();
    await shell.run('submit', 'x');
    expect(await shell.run('outputs', 'last', '-d', '/tmp/r')).toBe(0);
    expect(await shell.run('outputs', 'last', 'img/')).toBe(0);
    expect([...local.created.keys()]).toEqual(['/tmp/r/report.txt', '/tmp/r/img/a.png', `${here}/img/a.png`]);
    expect(await shell.run('outputs', 'last', 'none')).toBe(1);
    expect(shell.stderr.text).toBe(
      "octaskly: Task 01hq3v5k0001 left no file none. 'octaskly outputs ID' lists the files of a task.\n",
    );
  });

  test('--stdout writes one file', async () => {
    const { shell } = withFiles();
    await shell.run('submit', 'x');
    expect(await shell.run('outputs', 'last', 'report.txt', '--stdout')).toBe(0);
    expect(shell.stdout.text).toBe('01hq3v5k0001\nhello');
    expect(await shell.run('outputs', 'last', '--stdout')).toBe(2);
  });

  test('--stdout says that what it wrote is damaged, and fails', async () => {
    const { blobs, shell } = withFiles();
    blobs.blobs.set(blobOf('hello'), new TextEncoder().encode('hellO'));
    await shell.run('submit', 'x');
    expect(await shell.run('outputs', 'last', 'report.txt', '--stdout')).toBe(1);
    expect(shell.stdout.text).toEndWith('hellO');
    expect(shell.stderr.text).toBe(
      'octaskly: report.txt is not what the worker stored: it is damaged. Do not use what was written of it.\n',
    );
  });
});

describe('outputs batch:ID', () => {
  /** A batch of these names whose tasks all left `report.txt` and `img/a.png`; those in `open` have not ended. */
  async function batchOf(names: readonly (string | undefined)[], open: readonly number[] = []) {
    const given = start();
    const { dispatcher, blobs } = given;
    blobs.addOutput('report.txt', 'hello');
    blobs.addOutput('img/a.png', 'a', true);
    const batch = (): Response => Response.json({ id: 'b0', name: null, size: names.length, counts: {} });
    dispatcher.intercept = (request) => (request.path === '/api/v1/batches/b0' ? batch() : blobs.answer(request));
    dispatcher.onSubmit = (id) => {
      if (!open.includes(Number(id.slice(-4)))) dispatcher.end(id, { exit_code: 0 });
    };
    for (const name of names) dispatcher.submit({ command: 'x', ...(name === undefined ? {} : { name }) }, 'b0');
    await Promise.resolve();
    return given;
  }

  test('brings the files of each task to a folder of its name, or of its number', async () => {
    const { local, shell } = await batchOf(['north', undefined, 'a/b', 'South', 'south']);
    expect(await shell.run('outputs', 'batch:b0', '--dir', '/r')).toBe(0);
    const folders = ['north', '2', '3', '4', '5'];
    const wanted = folders.flatMap((folder) => [`/r/${folder}/report.txt`, `/r/${folder}/img/a.png`]);
    expect([...local.created.keys()].sort()).toEqual(wanted.sort());
    expect(shell.stderr.text).toBe('octaskly: Brought 10 files of 5 tasks.\n');
  });

  test('lists them, and takes paths of each task', async () => {
    const { local, shell } = await batchOf(['one', 'two']);
    expect(await shell.run('outputs', 'batch:b0', '-o', 'quiet')).toBe(0);
    expect(shell.stdout.text).toBe('one/report.txt\none/img/a.png\ntwo/report.txt\ntwo/img/a.png\n');
    expect(await shell.run('outputs', 'batch:b0', 'img')).toBe(0);
    expect([...local.created.keys()]).toEqual([`${here}/one/img/a.png`, `${here}/two/img/a.png`]);
    expect(await shell.run('outputs', 'batch:b0', 'none')).toBe(1);
    expect(shell.stderr.text).toContain('No task of this batch left a file none.');
    expect(await shell.run('outputs', 'batch:b0', 'img/a.png', '--stdout')).toBe(2);
  });

  test('does not succeed while tasks of it have not ended, or where a file is damaged', async () => {
    const early = await batchOf(['one', 'two'], [2]);
    expect(await early.shell.run('outputs', 'batch:b0', '--dir', '/r')).toBe(1);
    expect(early.shell.stderr.text).toContain('1 of 2 tasks did not end yet; files are collected when they do.');
    const damaged = await batchOf(['one', 'two']);
    damaged.blobs.blobs.set(blobOf('a'), new TextEncoder().encode('b'));
    expect(await damaged.shell.run('outputs', 'batch:b0', '--dir', '/r')).toBe(1);
    expect(damaged.shell.stderr.text).toContain('Cannot fetch one/img/a.png, two/img/a.png: What came');
    expect([...damaged.local.created.keys()]).toEqual(['/r/one/report.txt', '/r/two/report.txt']);
  });

  test('says once why many files cannot be written, and nothing that a hostile name says to a terminal', async () => {
    const { local, shell } = await batchOf(['a', 'b', 'c']);
    local.create = async () => Promise.reject(new OctasklyError('io', 'Cannot write /r/\u001b]0;pwn\u0007\n: full.'));
    expect(await shell.run('outputs', 'batch:b0', '--dir', '/r')).toBe(1);
    const names = 'a/report.txt, a/img/a.png, b/report.txt and 3 other files';
    expect(shell.stderr.text).toBe(`octaskly: Cannot fetch ${names}: Cannot write /r/\\x1b]0;pwn\\x07\\n: full.\n`);
  });

  test('foldersOf() takes names that any disk tells apart, and numbers for the others', () => {
    const names = ['ok', 'nul', '..', '7', 'a\u001b[2J', 'e\u0301', '\u00e9', 'x.', 'grün', null];
    expect(foldersOf(names)).toEqual(['ok', '02', '03', '04', '05', '06', '07', '08', 'grün', '10']);
  });
});
