import { describe, expect, test } from 'bun:test';
import { type ApiSources, type FoundApi, findBaseUrl } from '../../../src/cli/reach.ts';

const here = 'http://127.0.0.1:3000';
const plain = { answers: true, own: false, proven: null };
const pi: FoundApi = { name: 'pi', url: 'http://192.168.1.5:3000', fingerprint: 'SHA256:pi', ...plain };
const nas: FoundApi = { name: 'nas', url: 'https://192.168.1.6:3000', fingerprint: 'SHA256:nas', ...plain };
const rogue: FoundApi = { ...pi, name: 'Rogue', url: 'http://192.168.1.66:9999', proven: false };

function sources(found: readonly FoundApi[], more: Partial<ApiSources> = {}): ApiSources & { looked: number } {
  const made = {
    ...{ looked: 0, announced: () => null, answers: () => Promise.resolve(false) },
    find: () => {
      made.looked += 1;
      return Promise.resolve(found);
    },
    ...more,
  };
  return made;
}

const reach = { api: undefined, tlsFingerprint: undefined, discovery: true };

describe('findBaseUrl()', () => {
  test('does not look around where the dispatcher is known, at the default, or looking is switched off', async () => {
    const idle = sources([pi]);
    expect((await findBaseUrl({ ...reach, api: 'nas:1' }, idle)).baseUrl).toBe('http://nas:1');
    expect((await findBaseUrl({ ...reach, discovery: false }, idle)).baseUrl).toBe(here);
    const known = sources([pi], { announced: () => 'http://127.0.0.1:4000' });
    expect((await findBaseUrl(reach, known)).baseUrl).toBe('http://127.0.0.1:4000');
    const local = sources([pi], { answers: (url) => Promise.resolve(url === here) });
    expect((await findBaseUrl(reach, local)).baseUrl).toBe(here);
    expect([idle.looked, known.looked, local.looked]).toEqual([0, 0, 0]);
  });

  test('takes the only one that is found, with its scheme, and the default where there is none', async () => {
    expect(await findBaseUrl(reach, sources([nas]))).toEqual({ baseUrl: nas.url, found: nas });
    expect(await findBaseUrl(reach, sources([]))).toEqual({ baseUrl: here, found: null });
  });

  test('takes none of several, and lists what to give', async () => {
    const asked = findBaseUrl(reach, sources([pi, nas]));
    await expect(asked).rejects.toThrow(`--api ${pi.url}    pi, key SHA256:pi\n    --api ${nas.url}    nas`);
  });

  test('takes the one this data directory belongs to, whoever else is there', async () => {
    const own = { ...pi, own: true, proven: true };
    expect((await findBaseUrl(reach, sources([nas, own, { ...rogue, own: true }]))).found).toEqual(own);
  });

  test('leaves out whoever claims a key that another has shown to have', async () => {
    const shown = { ...pi, proven: true };
    expect((await findBaseUrl(reach, sources([rogue, shown]))).found).toEqual(shown);
    const relayed = { ...rogue, proven: true };
    await expect(findBaseUrl(reach, sources([relayed, shown]))).rejects.toThrow('suspicious');
    const doubtful = findBaseUrl(reach, sources([rogue, { ...pi, proven: false }]));
    await expect(doubtful).rejects.toThrow('key SHA256:pi, which it has not shown to have');
  });

  test('leaves out those without a certificate where one is expected', async () => {
    const pinned = { ...reach, tlsFingerprint: 'ab' };
    expect((await findBaseUrl(pinned, sources([pi, nas]))).baseUrl).toBe(nas.url);
    await expect(findBaseUrl(pinned, sources([pi]))).rejects.toThrow('A certificate is expected');
  });

  test('says what to do about an API that is there for its own machine alone', async () => {
    await expect(findBaseUrl(reach, sources([{ ...pi, answers: false }]))).rejects.toThrow('--require-auth true');
  });
});
