/** Routes of the files a task left: which there are, and each of them. */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { pathLengthMax } from '../../core/files.ts';
import { blobAnswer, blobRoute, sizeOnceHere } from '../blob-answer.ts';
import { outputFilesSchema } from '../file-schemas.ts';
import { json, noQuery, type Route, route } from '../route.ts';
import { checkTask, idParams } from './common.ts';

const listOutputs = route({
  name: 'listOutputs',
  method: 'GET',
  path: '/api/v1/tasks/{id}/outputs',
  access: 'tasks',
  summary: 'List the files that were collected after a task',
  description:
    'By path. While it runs, and after it left none, there are none. Of one that a worker keeps, "at" is its name.',
  params: idParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The files', schema: outputFilesSchema } },
  problems: ['not_found'],
  handle({ params, actor }, { backend }) {
    checkTask(backend, actor, params.id);
    const { files, problems } = backend.files(params.id);
    return json(200, { outputs: files, problems, next_cursor: null });
  },
});

const readOutputFile = route({
  name: 'readOutputFile',
  method: 'GET',
  path: '/api/v1/tasks/{id}/outputs/{+path}',
  access: 'tasks',
  summary: 'Read a file that was collected after a task, all or a range',
  description: 'One that a worker keeps is brought from there first, which takes a while when it is large.',
  params: idParams.extend({
    path: z.string().min(1).max(pathLengthMax).describe('As in the list; it may hold slashes, also escaped'),
  }),
  query: noQuery,
  ...blobRoute,
  async handle({ params, headers, actor, ...connection }, { backend }) {
    checkTask(backend, actor, params.id);
    // Only what was collected can be read: the path finds an entry of the list, and never touches a disk.
    const file = backend.files(params.id).files.find(({ path }) => path === params.path);
    if (file === undefined) {
      throw new OctasklyError('not_found', `Task "${params.id}" left no file "${params.path.slice(0, 200)}".`);
    }
    const size = await sizeOnceHere(backend, file.blob, connection);
    // Another size is damage: better nothing than wrong bytes.
    if (size !== file.bytes)
      throw new OctasklyError('not_found', `The content of "${file.path}", ${file.blob}, is gone.`);
    const name = file.path.slice(file.path.lastIndexOf('/') + 1);
    return blobAnswer(backend.blobs, { blob: file.blob, size, name }, headers);
  },
});

export const outputRoutes: readonly Route[] = [listOutputs, readOutputFile];
