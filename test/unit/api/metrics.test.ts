import { expect, test } from 'bun:test';
import { metricsText } from '../../../src/api/metrics.ts';
import { harness } from './fake.ts';

test('metricsText() writes help, type and samples, and leaves out what has none', () => {
  const text = metricsText([
    { name: 'a', type: 'gauge', help: 'One', samples: [{ value: 1.5 }] },
    { name: 'b_total', type: 'counter', help: 'Two', samples: [] },
    {
      ...{ name: 'c_seconds', type: 'histogram', help: 'Three' },
      samples: [
        { suffix: '_bucket', labels: { le: '+Inf' }, value: 2 },
        { suffix: '_count', value: 2 },
      ],
    },
  ]);
  expect(text).toBe(
    '# HELP a One\n# TYPE a gauge\na 1.5\n# HELP c_seconds Three\n# TYPE c_seconds histogram\nc_seconds_bucket{le="+Inf"} 2\nc_seconds_count 2\n',
  );
});

test('metricsText() keeps a value of a label within its quotes', () => {
  const labels = { worker: 'a"b\\c\nd' };
  expect(metricsText([{ name: 'a', type: 'gauge', help: 'x\ny', samples: [{ labels, value: 1 }] }])).toBe(
    '# HELP a x\\ny\n# TYPE a gauge\na{worker="a\\"b\\\\c\\nd"} 1\n',
  );
});

test('metricsText() writes what is no finite number as Prometheus does', () => {
  const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e21];
  const text = metricsText([{ name: 'a', type: 'gauge', help: 'x', samples: values.map((value) => ({ value })) }]);
  expect(text.match(/(?<=^a ).*$/gm)).toEqual(['+Inf', '-Inf', 'NaN', '1e+21']);
});

test('GET /metrics answers in the text format, from this machine without a token', async () => {
  const all = harness();
  all.backend.metricFamilies = [{ name: 'a', type: 'gauge', help: 'One', samples: [{ value: 1 }] }];
  const response = await all.call('GET', '/metrics');
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await response.text()).toEndWith('\na 1\n');
});

test('GET /workers/{id}/log gives the lines as they are; the worker may be named', async () => {
  const all = harness();
  all.backend.logLines = ['one', '{"two":2}'];
  const response = await all.call('GET', '/api/v1/workers/kitchen/log?lines=5');
  expect(await response.text()).toBe('one\n{"two":2}\n');
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(all.backend.actions).toEqual(['log w-1 5']);
  expect((await all.call('GET', '/api/v1/workers/kitchen/log?lines=1001')).status).toBe(400);
  expect((await all.call('GET', '/api/v1/workers/nobody/log')).status).toBe(404);
});
