/** `update`: brings this program, or with `--fleet` the workers, to another version. */

import { isLoopbackHost } from '../../base/place.ts';
import type { ClientAction, DirectAction } from '../command.ts';
import { usage } from '../parse.ts';
import type { DispatcherOffer, ProgramUpdate } from '../update.ts';
import type { UpdateValues, updateOptions } from '../update-options.ts';
import { updateFleet } from './update-fleet.ts';

/** What needs no dispatcher: a release, and going back. Errors: `usage`, and those of the role. */
export const updateDirectly: DirectAction<typeof updateOptions> = async ({ roles }, values) => {
  checkForm(values);
  if (values.fleet) return null;
  const common = wishOf(values);
  if (values.rollback) return roles.update({ ...common, action: 'rollback', source: null });
  return values.from === undefined ? null : roles.update({ ...common, source: values.from });
};

/** Likewise, by the dispatcher. */
export const update: ClientAction<typeof updateOptions> = async (context, values) => {
  if (values.fleet) return updateFleet(context, values);
  const { client } = context;
  const { version, text, program } = client.updates;
  const source: DispatcherOffer = {
    url: client.baseUrl,
    isTrusted: isPrivateWay(client.baseUrl),
    version,
    text,
    program,
  };
  return context.updateProgram({ ...wishOf(values), source });
};

function wishOf(values: UpdateValues): Omit<ProgramUpdate, 'source'> {
  const { allowDowngrade, restart, dryRun } = values;
  const action = values.check ? 'check' : 'update';
  return { action, version: values.version ?? null, key: values.key ?? null, allowDowngrade, restart, dryRun };
}

/** Nobody else can answer in its place: a certificate was checked, or it is on this machine. */
function isPrivateWay(baseUrl: string): boolean {
  const { protocol, hostname } = new URL(baseUrl);
  return protocol === 'https:' || isLoopbackHost(hostname.replace(/^\[|\]$/g, ''));
}

function checkForm({ fleet, rollback, from, check, worker, version, key }: UpdateValues): void {
  const refuse = (flag: string, form: string): void => {
    throw usage(`'octaskly update ${form}' has no use for ${flag}.`);
  };
  if (fleet && rollback) refuse('--rollback', '--fleet');
  if (fleet && from !== undefined) refuse('--from', '--fleet');
  if (fleet && version !== undefined) refuse('--version', '--fleet');
  if (fleet && key !== undefined) refuse('--key', '--fleet');
  if (!fleet && worker.length > 0) throw usage('--worker goes with --fleet: octaskly update --fleet --worker NAME.');
  if (rollback && from !== undefined) refuse('--from', '--rollback');
  if (rollback && key !== undefined) refuse('--key', '--rollback');
  if (rollback && check) refuse('--check', '--rollback');
}
