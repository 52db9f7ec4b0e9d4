/** What a task asks for of limits, isolation and files, from the request to the view; files as parts of the request. */

import { describe, expect, test } from 'bun:test';
import { newTaskOf } from '../../../src/api/convert.ts';
import { taskRequestSchema } from '../../../src/api/schemas.ts';
import { noDemand } from '../../../src/core/isolation.ts';
import { blobOf } from '../../memory-blobs.ts';
import { harness } from './fake.ts';

const blob = `sha256:${'a'.repeat(64)}`;
const defaults = { defaultTimeoutMs: 1000 };

async function refusal(request: object): Promise<{ path: string; message: string }[]> {
  const answer = await harness().call('POST', '/api/v1/tasks', { command: 'true', ...request });
  expect(answer.status).toBe(422);
  return ((await answer.json()) as { errors: { path: string; message: string }[] }).errors;
}

const asked = {
  cpu_time_limit: 1.5,
  memory_limit_mb: 64,
  disk_limit_mb: 100,
  max_open_files: 32,
  max_processes: 8,
  sandbox_level: 'strict',
  network: true,
  inputs: [{ path: 'dir/in', blob, executable: true }],
  outputs: ['out/**/*.txt', 'log'],
} as const;

describe('newTaskOf()', () => {
  test('shares one object among all that ask for nothing', () => {
    expect(newTaskOf(taskRequestSchema.parse({ command: 'true' }), defaults).requires.isolation).toBe(noDemand);
    const requires = { cpu_cores: 1 };
    const some = newTaskOf(taskRequestSchema.parse({ command: 'true', requires, network: false }), defaults);
    expect(some.requires.isolation).toBe(noDemand);
  });

  test('takes limits, level, network and files over', () => {
    const { requires, inputs, outputs } = newTaskOf(taskRequestSchema.parse({ command: 'true', ...asked }), defaults);
    expect(requires.isolation).toEqual({
      level: 'strict',
      network: true,
      limits: { cpuTimeMs: 1500, memoryMb: 64, diskMb: 100, openFiles: 32, processes: 8 },
    });
    expect(inputs).toEqual([{ path: 'dir/in', blob, bytes: null, executable: true }]);
    expect(outputs).toEqual(['out/**/*.txt', 'log']);
  });
});

describe('POST /tasks', () => {
  test('answers with what was asked for, so that it can be asked for again', async () => {
    const { call } = harness();
    const task = (await (await call('POST', '/api/v1/tasks', { command: 'true', ...asked })).json()) as object;
    const inputs = [{ ...asked.inputs[0], bytes: 0 }];
    expect(task).toMatchObject({ ...asked, inputs, sandbox_level_used: null, written_bytes: null });
    const again = Object.fromEntries(Object.keys(asked).map((key) => [key, task[key as keyof typeof task]]));
    expect((await call('POST', '/api/v1/tasks', { command: 'true', ...again })).status).toBe(201);
    const plain = await (await call('POST', '/api/v1/tasks', { command: 'true' })).json();
    expect(plain).toMatchObject({
      memory_limit_mb: null,
      sandbox_level: null,
      network: false,
      inputs: [],
      outputs: [],
    });
  });

  test('refuses what no worker could keep', async () => {
    expect(await refusal({ network: true, sandbox_level: 'very-strict' })).toEqual([
      { path: 'network', message: 'very-strict never gives the network; ask for strict, or leave "network" out' },
    ]);
    for (const [key, value] of [
      ...([
        ['cpu_time_limit', 0.5],
        ['memory_limit_mb', 0],
        ['memory_limit_mb', 1.5],
        ['disk_limit_mb', 0],
      ] as const),
      ...([
        ['max_open_files', 7],
        ['max_processes', 0],
        ['sandbox_level', 'hard'],
        ['network', 'yes'],
      ] as const),
    ]) {
      expect((await refusal({ [key]: value })).map(({ path }) => path)).toEqual([key]);
    }
  });

  test.each([
    [
      { inputs: [{ path: '../x', blob }] },
      'inputs.0.path',
      '"../x" holds ".."; it should stay below the task directory',
    ],
    [
      {
        inputs: [
          { path: 'a', blob },
          { path: 'a/b', blob },
        ],
      },
      'inputs.1.path',
      '"a/b" lies below "a", which is a file',
    ],
    [{ inputs: [{ path: 'a', blob: 'md5:1' }] }, 'inputs.0.blob', 'is not "sha256:" and 64 hex digits in lower case'],
    [{ inputs: [{ path: 'a', blob, mode: 1 }] }, 'inputs.0.mode', 'unknown key "mode"'],
    [
      { inputs: [3] },
      'inputs.0',
      'must be {"path": …, "blob": "sha256:…"}, or the name of a part of a multipart request',
    ],
    [{ inputs: ['list'] }, 'inputs.0', 'the request has no part "list"'],
    [{ outputs: ['/etc/*'] }, 'outputs.0', '"/etc/*" is absolute; it should be relative to the task directory'],
    [{ outputs: ['a', 'b/../../*'] }, 'outputs.1', '"b/../../*" holds ".."; it should stay below the task directory'],
  ])('names the entry that is wrong in %j', async (request, path, message) => {
    expect(await refusal(request)).toEqual([{ path, message }]);
  });

  test('bounds how much of files one task names', async () => {
    const long = 'x'.repeat(200);
    const inputs = Array.from({ length: 11_000 }, (_, n) => ({ path: `${long}/${n}`, blob }));
    expect((await refusal({ inputs })).map(({ path }) => path)).toEqual(['inputs']);
    expect((await refusal({ outputs: Array.from({ length: 257 }, () => 'a') }))[0]?.path).toBe('outputs');
  });
});

test('POST /batches takes blobs, no parts', async () => {
  const { call } = harness();
  const batch = (inputs: unknown[]) => call('POST', '/api/v1/batches', { tasks: [{ command: 'a', inputs }] });
  expect((await batch([{ path: 'a', blob }])).status).toBe(201);
  const refused = await batch([{ path: 'a', blob }, 'list']);
  expect(await refused.json()).toMatchObject({ status: 422, errors: [{ path: 'tasks.0.inputs.1' }] });
});

describe('POST /tasks with parts', () => {
  const task = (inputs: unknown) => JSON.stringify({ command: 'true', inputs });

  function form(entries: readonly (readonly [string, string | File])[]): FormData {
    const made = new FormData();
    for (const [name, value] of entries) made.append(name, value);
    return made;
  }

  test('stores the files and puts blobs in the place of their names', async () => {
    const { call, backend } = harness();
    const raw = new Uint8Array([0, 255, 13, 10, 45, 45]);
    const answer = await call(
      'POST',
      '/api/v1/tasks',
      form([
        ['task', task(['d/list', { path: 'b', blob }, '../evil'])],
        ['d/list', new File([raw], 'other.bin')],
        ['../evil', new File(['x'], 'evil')],
      ]),
    );
    expect(answer.status).toBe(201);
    expect(((await answer.json()) as { inputs: unknown }).inputs).toEqual([
      { path: 'd/list', blob: blobOf(raw), bytes: 6, executable: false },
      { path: 'b', blob, bytes: 0, executable: false },
      { path: 'evil', blob: blobOf(new TextEncoder().encode('x')), bytes: 1, executable: false },
    ]);
    expect(backend.blobs.read(blobOf(raw), 0, 9)).toEqual(raw);
  });

  test('takes the names of parts as browsers write them, and a percent sign as itself', async () => {
    const { call } = harness();
    const names = ['say "x".txt', 'two\nlines', 'a%22b'];
    const head = (name: string): string => `--B\r\nContent-Disposition: form-data; name="${name}"`;
    const files = ['say %22x%22.txt', 'two%0Alines', 'a%22b'].map(
      (name) => `${head(name)}; filename="${name}"\r\n\r\nx\r\n`,
    );
    const body = `${head('task')}\r\n\r\n${task(names)}\r\n${files.join('')}--B--\r\n`;
    const answer = await call('POST', '/api/v1/tasks', body, { 'content-type': 'multipart/form-data; boundary=B' });
    const { inputs } = (await answer.json()) as { inputs: { path: string }[] };
    expect(inputs.map(({ path }) => path)).toEqual(names);
  });

  test('with the same key and files gives the same task, with another file a conflict', async () => {
    const { call } = harness();
    const send = (content: string) =>
      call(
        'POST',
        '/api/v1/tasks',
        form([
          ['task', task(['f'])],
          ['f', new File([content], 'f')],
        ]),
        {
          'idempotency-key': 'k',
        },
      );
    const ids = [
      (await (await send('1')).json()) as { id: string },
      (await (await send('1')).json()) as { id: string },
    ];
    expect(ids[0]?.id).toBe(ids[1]?.id ?? '');
    expect((await send('2')).status).toBe(409);
  });

  test('takes a file with an empty name by the name of its part, if that can be a path', async () => {
    const { call } = harness();
    const status = async (name: string) => {
      const body = form([
        ['task', task([name])],
        [name, new File(['x'], '')],
      ]);
      return (await call('POST', '/api/v1/tasks', body)).status;
    };
    expect([await status('f'), await status('../evil')]).toEqual([201, 422]);
  });

  const file = new File(['x'], 'f');
  test.each([
    ['no task', [['f', file]], 'task', 'is missing'],
    [
      'a part that is missing',
      [
        ['task', task(['f', 'g'])],
        ['f', file],
      ],
      'inputs.1',
      'the request has no part "g"',
    ],
    [
      'a part nobody names',
      [
        ['task', task([])],
        ['f', file],
      ],
      'f',
      'is not named in the inputs',
    ],
    [
      'a part that is there twice',
      [
        ['task', task(['f'])],
        ['f', file],
        ['f', file],
      ],
      'f',
      'is there twice',
    ],
    [
      'a part that is text',
      [
        ['task', task(['f'])],
        ['f', 'x'],
      ],
      'f',
      'has no file name',
    ],
    [
      'two files in one place',
      [
        ['task', task(['f', '../g'])],
        ['f', file],
        ['../g', file],
      ],
      'inputs.1',
      '"f" is given twice',
    ],
    ['a task that does not fit', [['task', '{"comand": "x"}']], 'comand', 'did you mean "command"'],
  ] as [string, [string, string | File][], string, string][])('names %s', async (_name, entries, path, message) => {
    const { call, backend } = harness();
    const answer = await call('POST', '/api/v1/tasks', form(entries));
    expect(answer.status).toBe(422);
    const { errors } = (await answer.json()) as { errors: unknown[] };
    expect(errors).toContainEqual({ path, message: expect.stringContaining(message) });
    expect([backend.submissions.length, backend.blobs.blobs.size]).toEqual([0, 0]);
  });

  test('calls a body that is no form a bad request', async () => {
    const headers = { 'content-type': 'multipart/form-data; boundary=x' };
    expect((await harness().call('POST', '/api/v1/tasks', 'nothing', headers)).status).toBe(400);
  });
});
