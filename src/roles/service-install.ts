/**
 * `octaskly service install`: settles what the service is, and puts it there. In this order, so that a step that fails
 * leaves nothing that would fail again at each boot: checks, account, data directory, secret and join token into it, file,
 * init system. Doing it again replaces the file and starts the service anew.
 *
 * Invariant: a secret ends in a file of mode 600 of the service's account, never in the service's own file.
 */

import { join, resolve } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import { note, type Terminal } from '../cli/context.ts';
import type { InstallRequest, KeptOption } from '../cli/service.ts';
import type { Account } from '../core/host-isolation.ts';
import { type ServiceDefinition, serviceName, shellQuoted } from '../core/service/definition.ts';
import { planOf, type ServicePlan, serviceLogFile } from '../core/service/plan.ts';
import type { Log } from '../ports/time.ts';
import { accountNamed, canReach, ownAccountName } from '../runtime/accounts.ts';
import { keptCredential } from '../runtime/credential.ts';
import { dispatcherSecret, ensurePrivateDir, readPrivate, writePrivate } from '../runtime/data-dir.ts';
import { ownCommandLine } from '../runtime/isolation.ts';
import { createLog } from '../runtime/log.ts';
import {
  accountCommand,
  accountToBe,
  asAccount,
  askInit,
  carryOut,
  isProgram,
  ownFile,
  provideDataDir,
  requireAccount,
  servicePlaces,
  writeServiceFile,
} from '../runtime/service-host.ts';
import { absolute, givenSecret } from './common.ts';
import { joinHere } from './join.ts';
import { inviteIn } from './membership.ts';
import { online, type ServiceGround } from './service-ground.ts';
import { checkData, checkPaths } from './service-paths.ts';
import { failedStart, tellFailure } from './service-start.ts';

/** What a worker is given to end its tasks, ms, where nobody says otherwise. */
const leaveWithinMs = 10_000;
/** And to hand back what has not ended, with its output. */
const farewellSeconds = 35;
const dispatcherStopSeconds = 30;
/** Where `worker` looks for its dispatcher's port. */
const workerPort = 7878;
const failedStatus = 1;
/** Accounts of a dispatcher and of a worker, where nobody names another. */
const ownAccounts: readonly [string, string] = ['octaskly', 'octaskly-worker'];

/** Exit status: 0, or 1 for a service that is there and does not run. Errors: `usage`, `forbidden`, `conflict`, `io`, and those of joining. */
export async function installService(
  request: InstallRequest,
  ground: ServiceGround,
  terminal: Terminal,
): Promise<number> {
  const service = definitionOf(request, ground);
  const plan = planOf(ground.init, service, servicePlaces());
  if (request.join !== null) inviteIn(request.join);
  if (request.dryRun) {
    await terminal.stdout.write(dryText(service, plan, request));
    return 0;
  }
  checkRights(service, ground);
  await checkPaths(request, service, ground.init);
  const isThere = ownFile(plan.file.path) !== null;
  const account = await provideAccount(service);
  await checkData(service.dataDir, account);
  provideDataDir(service.dataDir, account);
  await settleSecrets(request, service, { account, stop: isThere ? () => carryOut(plan.stop) : async () => {} });
  writeServiceFile(plan.file);
  await carryOut(online(plan.activation, ground), ground);
  const isStarted = request.now && !ground.offline;
  if (isStarted) await carryOut(plan.start);
  const installed = { ...service, init: ground.init, path: plan.file.path, maker: 'install' } as const;
  const failure = isStarted ? await failedStart(installed) : null;
  await tellOutcome({ service, plan, request, isThere, ground, runs: isStarted && failure === null }, terminal);
  if (failure === null) return 0;
  await tellFailure(installed, failure, terminal);
  return failedStatus;
}

function definitionOf(request: InstallRequest, { init, scope }: ServiceGround): ServiceDefinition {
  const { role, instance, runAs } = request;
  if (runAs !== null && scope === 'user') {
    throw new OctasklyError('usage', `--run-as "${runAs}" is for --system: a service of this account runs as it.`);
  }
  const usual = ownAccounts[role === 'worker' ? 1 : 0];
  const account = scope === 'user' || init === 'task' ? null : (runAs ?? (init === 'launchd' ? null : usual));
  if (init === 'launchd' && scope === 'system' && account === null) {
    throw new OctasklyError('usage', 'launchd would run it as root: name an account of this Mac with --run-as.');
  }
  if (account !== null && !/^[A-Za-z_][\w-]{0,31}$/.test(account)) {
    throw new OctasklyError('usage', `--run-as "${account}" is not the name of an account.`);
  }
  const named = lastOf(request.options, 'data-dir');
  const usualDir =
    scope === 'user' ? '~/.octaskly' : systemDir(init, `${usual}${instance === null ? '' : `-${instance}`}`);
  const dataDir = absolute(named ?? usualDir);
  const [program = '', ...before] = ownCommandLine();
  const leaveMs = request.leaveWithinMs ?? leaveWithinMs;
  const logFile = lastOf(request.options, 'log-file') ?? serviceLogFile(init, request, dataDir);
  const beside = [lastOf(request.options, 'db-path'), logFile].filter((path) => typeof path === 'string');
  return {
    ...{ role, scope, instance, account, dataDir },
    program: [program, ...before],
    options: [
      ...request.options.filter(({ flag }) => flag !== 'data-dir').map(wordOf),
      `--data-dir=${dataDir}`,
      ...(logFile === null || lastOf(request.options, 'log-file') !== null ? [] : [`--log-file=${logFile}`]),
      ...(role === 'worker' && request.leaveWithinMs === null ? [`--leave-within=${leaveWithinMs / 1000}s`] : []),
    ],
    writes: [...new Set(beside.map((path) => resolve(absolute(path), '..')))].filter((path) => path !== dataDir),
    stopSeconds: role === 'worker' ? Math.ceil(leaveMs / 1000) + farewellSeconds : dispatcherStopSeconds,
    bindsLowPort: request.ports.some((port) => port > 0 && port < 1024),
  };
}

/** The state of a service of the machine. */
function systemDir(init: ServiceGround['init'], name: string): string {
  if (init === 'task') return join(process.env.ProgramData ?? 'C:\\ProgramData', name);
  return init === 'launchd' ? `/usr/local/var/${name}` : `/var/lib/${name}`;
}

function lastOf(options: readonly KeptOption[], flag: string): string | null {
  return options.findLast((option) => option.flag === flag)?.text ?? null;
}

/** A service is started elsewhere than in this directory, by an account with another home. */
function wordOf({ flag, text, isPath }: KeptOption): string {
  return `--${flag}=${isPath ? absolute(text) : text}`;
}

/** Errors: `forbidden` without the rights, or where its account does not get to the program. */
function checkRights({ scope, account, program }: ServiceDefinition, { init }: ServiceGround): void {
  if (process.platform === 'win32') return;
  if (scope === 'system' && process.getuid?.() !== 0) {
    throw new OctasklyError(
      'forbidden',
      `A service of the machine is installed by root: use sudo, or --user${init === 'openrc' ? ' with another init system' : ''}.`,
    );
  }
  if (account === null || account === 'root') return;
  if (isProgram(program[0]) && canReach(accountToBe(account), program[0])) return;
  throw new OctasklyError(
    'forbidden',
    `The account ${account} may not run ${program[0]}. Put it where all may: install -m 755 ${program[0]} /usr/local/bin/octaskly, then run 'octaskly service install' from there.`,
  );
}

/** How to make an account that is missing; null where it is there, is none of ours (a slip of the pen), or nobody can. */
function makingOf(account: string, dataDir: string): readonly [string, ...string[]] | null {
  return ownAccounts.includes(account) && accountNamed(account) === null ? accountCommand(account, dataDir) : null;
}

/** The account of a system service, one of ours made when it is missing; null: it runs as whoever this is. Errors: `usage`, `io`. */
async function provideAccount({ account, dataDir }: ServiceDefinition): Promise<Account | null> {
  if (account === null) return null;
  const command = makingOf(account, dataDir);
  if (command !== null) await carryOut([{ argv: command, optional: false }]);
  return requireAccount(account);
}

interface Settling {
  readonly account: Account | null;
  /** Ends the service that is there: it holds the lock of what is changed. */
  stop(): Promise<void>;
}

/** Puts secret and credential where the service looks for them. */
async function settleSecrets(
  request: InstallRequest,
  { dataDir }: ServiceDefinition,
  settling: Settling,
): Promise<void> {
  const { account, stop } = settling;
  // Read with this account's rights: the file may be closed to the service's.
  const secret = givenSecret(request);
  const log: Log = createLog({ level: 'warn', format: 'text', file: null });
  await asAccount(account, async () => {
    ensurePrivateDir(dataDir, log);
    if (secret !== null) dispatcherSecret(dataDir, secret, log);
    keepAddresses(request.notify, dataDir);
  });
  const { join: token, workerName } = request;
  if (token === null) return;
  const home = join(dataDir, 'workers', workerName === null ? '1' : `name-${workerName}`);
  const hasJoined = await asAccount(account, async () => keptCredential(home)?.inviteId === inviteIn(token).inviteId);
  if (hasJoined) return;
  await stop();
  const port = Number(lastOf(request.options, 'port') ?? workerPort);
  await asAccount(account, () =>
    joinHere({ name: workerName ?? undefined, port, dataDir, logFile: undefined, logFormat: 'text' }, token, log),
  );
}

/** Puts addresses into a config file of their own. Error: `usage` where there is one that does not have them. */
function keepAddresses(addresses: readonly string[], dataDir: string): void {
  if (addresses.length === 0) return;
  const file = join(dataDir, 'config.toml');
  const line = `notify = ${JSON.stringify(addresses)}`;
  const there = readPrivate(file);
  if (there?.split('\n').includes(line)) return;
  if (there === null) {
    writePrivate(file, line);
    return;
  }
  throw new OctasklyError(
    'usage',
    `The addresses of --notify are not kept in a service, where others can read them, and "${file}" is there already: put them into it, as notify = ["https://..."], and leave out --notify.`,
  );
}

function dryText(
  service: ServiceDefinition,
  { file, activation, start }: ServicePlan,
  { now, secret, secretFile, notify, join: token }: InstallRequest,
): string {
  const { account, dataDir } = service;
  const steps = [...activation, ...(now ? start : [])].map(({ argv }) => argv.map(shellQuoted).join(' '));
  const makes = account === null ? null : makingOf(account, dataDir);
  const before = [
    ...(makes === null ? [] : [makes.map(shellQuoted).join(' ')]),
    `# keeps its data in ${dataDir}`,
    ...(notify.length === 0 ? [] : ['# keeps the addresses of --notify there, in config.toml']),
    ...(secret === undefined && secretFile === undefined ? [] : ['# keeps the cluster secret there, of mode 600']),
    ...(token === null ? [] : ['# joins with the token, and keeps the credential there']),
  ];
  return `${[...before, `# ${file.path} (mode ${file.mode.toString(8)}):`, '', file.text.trimEnd(), '', ...steps].join('\n')}\n`;
}

interface Outcome {
  readonly service: ServiceDefinition;
  readonly plan: ServicePlan;
  readonly request: InstallRequest;
  readonly isThere: boolean;
  readonly ground: ServiceGround;
  /** It was started, and goes on. */
  readonly runs: boolean;
}

async function tellOutcome(
  { service, plan, request, isThere, ground, runs }: Outcome,
  terminal: Terminal,
): Promise<void> {
  const name = serviceName(service);
  const verb = isThere ? 'Updated' : 'Installed';
  await terminal.stdout.write(`${verb} the service ${name} (${plan.file.path})${runs ? ' and started it' : ''}.\n`);
  if (ground.offline) await note(terminal, `${ground.init} does not run now: the service starts with it.`);
  await tellWhatIsMissing(service, request, ground, terminal);
  const which = `${service.role}${service.instance === null ? '' : ` --name ${service.instance}`}`;
  await terminal.stdout.write(`See it with: octaskly service status ${which}\n`);
}

async function tellWhatIsMissing(
  { scope }: ServiceDefinition,
  { linger }: InstallRequest,
  { init, offline }: ServiceGround,
  terminal: Terminal,
): Promise<void> {
  if (init === 'termux') {
    await note(
      terminal,
      'it starts with the phone once the app Termux:Boot is installed (F-Droid) and was opened once.',
    );
  }
  if (init !== 'systemd' || scope !== 'user') return;
  const user = ownAccountName();
  if (linger && !offline) {
    await carryOut([{ argv: ['loginctl', 'enable-linger', user], optional: false }]);
    return;
  }
  const answer = offline ? null : await askInit(['loginctl', 'show-user', user, '--property=Linger', '--value']);
  if (answer?.text.trim() === 'yes') return;
  await note(
    terminal,
    `it stops when ${user} logs out, and waits for a login at boot; to have it stay: loginctl enable-linger ${user}`,
  );
}
