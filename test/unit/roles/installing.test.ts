/** What is said where only the program is handed out. */

import { expect, test } from 'bun:test';
import { explainFailure } from '../../../src/cli/failure.ts';
import { nothingElse } from '../../../src/roles/installing.ts';

test('nothingElse() says of the API how it is opened, and knows no page', async () => {
  const error = await nothingElse('/api/v1/tasks').catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'not_found' });
  const said = explainFailure(error, null);
  expect(said).toMatch(/not open to the network.*--require-auth true, which opens the API to those with a token\.$/);
  expect(await nothingElse('/')).toBeNull();
});
