import { expect, test } from 'bun:test';
import { taskEnvironment } from '../../../src/worker/environment.ts';
import { assignment } from './fakes.ts';

const here = {
  platform: 'linux',
  directory: '/tasks/a',
  temporary: '/tasks/a.1',
  workerName: 'attic',
  person: null,
  minimal: false,
};

test('taskEnvironment() passes on what tools need, and nothing secret', () => {
  const own = {
    PATH: '/bin',
    HOME: '/root',
    LANG: 'C',
    OCTASKLY_SECRET: 's',
    AWS_SECRET_ACCESS_KEY: 's',
    LD_PRELOAD: 'x',
  };
  expect(taskEnvironment(assignment('a'), { ...here, own })).toEqual({
    PATH: '/bin',
    HOME: '/root',
    LANG: 'C',
    TMPDIR: '/tasks/a.1',
    OCTASKLY_TASK_ID: 'a',
    OCTASKLY_ATTEMPT: '1',
    OCTASKLY_TASK_DIR: '/tasks/a',
    OCTASKLY_WORKER: 'attic',
  });
});

test('taskEnvironment() has a PATH even where the worker has none', () => {
  expect(taskEnvironment(assignment('a'), { ...here, own: { PATH: undefined } }).PATH).toContain('/usr/bin');
});

test('taskEnvironment() lets the task override all but the words about itself', () => {
  const env = { PATH: '/mine', TMPDIR: '/tmp', OCTASKLY_TASK_ID: 'forged', X: '1' };
  expect(taskEnvironment(assignment('a', 2, { env }), { ...here, own: { PATH: '/bin' } })).toEqual({
    PATH: '/mine',
    TMPDIR: '/tmp',
    X: '1',
    OCTASKLY_TASK_ID: 'a',
    OCTASKLY_ATTEMPT: '2',
    OCTASKLY_TASK_DIR: '/tasks/a',
    OCTASKLY_WORKER: 'attic',
  });
});

test('taskEnvironment() shows another home and name, and of the worker only its language, when it is minimal', () => {
  const own = { PATH: '/home/ada/bin', HOME: '/home/ada', USER: 'ada', TERM: 'xterm', LANG: 'C', TZ: 'UTC' };
  const person = { name: 'task', home: '/task' };
  expect(taskEnvironment(assignment('a'), { ...here, own, person, minimal: true })).toEqual({
    PATH: expect.not.stringContaining('ada'),
    LANG: 'C',
    TZ: 'UTC',
    HOME: '/task',
    USER: 'task',
    LOGNAME: 'task',
    SHELL: '/bin/sh',
    TMPDIR: '/tasks/a.1',
    OCTASKLY_TASK_ID: 'a',
    OCTASKLY_ATTEMPT: '1',
    OCTASKLY_TASK_DIR: '/tasks/a',
    OCTASKLY_WORKER: 'attic',
  });
});

test('taskEnvironment() on Windows has what programs look for there, its own place for temporary files, and nothing secret', () => {
  const own = {
    Path: 'C:\\x',
    SYSTEMROOT: 'C:\\Windows',
    UserProfile: 'C:\\Users\\ada',
    OCTASKLY_SECRET: 's',
    PATHEXT: undefined,
  };
  const env = taskEnvironment(assignment('a'), { ...here, platform: 'win32', temporary: 'C:\\t', own });
  expect(env).toEqual({
    ...{ PATH: 'C:\\x', SystemRoot: 'C:\\Windows', USERPROFILE: 'C:\\Users\\ada', TEMP: 'C:\\t', TMP: 'C:\\t' },
    ...{ OCTASKLY_TASK_ID: 'a', OCTASKLY_ATTEMPT: '1', OCTASKLY_TASK_DIR: '/tasks/a', OCTASKLY_WORKER: 'attic' },
  });
});

test('taskEnvironment() on Windows has a variable once, however its name is written', () => {
  const env = taskEnvironment(assignment('a', 1, { env: { Path: 'D:\\', temp: 'E:\\', octaskly_task_id: 'forged' } }), {
    ...{ ...here, platform: 'win32', own: { PATH: 'C:\\' } },
  });
  expect([env.PATH, env.Path, env.TEMP, env.temp]).toEqual([undefined, 'D:\\', undefined, 'E:\\']);
  expect([env.octaskly_task_id, env.OCTASKLY_TASK_ID]).toEqual([undefined, 'a']);
});
