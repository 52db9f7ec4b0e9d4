/**
 * `audit`: the record of who did what, oldest first; `audit verify`: whether it is as it was written. With `jsonl` and
 * without `--limit` entries go out as they come in, however many there are.
 */

import type { AuditEntryView, AuditFindingView } from '../../api/trust-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import { instantOf } from '../filter.ts';
import type { Values } from '../option.ts';
import { jsonText, writeJson, writeTable } from '../print.ts';
import { refuseFlags, subcommandOf, wordsBehind } from '../subcommand.ts';
import { counted } from '../text.ts';
import { auditOptions } from '../trust-options.ts';

type AuditValues = Values<typeof auditOptions>;

export const audit: ClientAction<typeof auditOptions> = async (context, values, words) => {
  if (subcommandOf('audit', ['verify'], words) === null) {
    refuseFlags('audit', auditOptions, values, ['dbPath']);
    return list(context, values);
  }
  wordsBehind(words, 0, 'audit verify');
  refuseFlags('audit verify', auditOptions, values, ['since', 'type', 'actor', 'limit']);
  return verify(context, values);
};

/** The newest `limit` of `entries`, in their order; all without a limit. Keeps at most twice as many. */
async function newest(
  entries: AsyncIterable<AuditEntryView>,
  limit = Number.POSITIVE_INFINITY,
): Promise<readonly AuditEntryView[]> {
  let kept: AuditEntryView[] = [];
  for await (const entry of entries) {
    kept.push(entry);
    if (kept.length >= 2 * limit) kept = kept.slice(-limit);
  }
  return limit === Number.POSITIVE_INFINITY ? kept : kept.slice(-limit);
}

/** Characters collected before they are written. */
const writeLength = 64 * 1024;

async function list({ client, terminal }: CommandContext, values: AuditValues): Promise<number> {
  const { since, type, actor, limit, output } = values;
  const entries = client.trust.audit({
    since: since === undefined ? undefined : instantOf(since, terminal.now()),
    type,
    actor,
  });
  if (output === 'json') {
    await writeJson(terminal, { entries: await newest(entries, limit), next_cursor: null });
  } else if (output === 'table') {
    const rows = (await newest(entries, limit)).map(rowOf);
    const titles = [
      ...[{ title: 'ID' }, { title: 'TIME' }, { title: 'EVENT' }, { title: 'ACTOR', flexible: true, spare: 2 }],
      ...[
        { title: 'WORKER', flexible: true, spare: 3 },
        { title: 'TASK', spare: 1 },
      ],
    ];
    await writeTable(terminal, [...titles, { title: 'DETAILS', flexible: true }], rows);
  } else {
    let text = '';
    for await (const entry of limit === undefined ? entries : await newest(entries, limit)) {
      text += output === 'jsonl' ? `${jsonText(entry, 0)}\n` : `${entry.id}\n`;
      if (text.length < writeLength) continue;
      await terminal.stdout.write(text);
      text = '';
    }
    await terminal.stdout.write(text);
  }
  return 0;
}

function rowOf(entry: AuditEntryView): readonly string[] {
  const details = Object.entries(entry.details)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const { id, timestamp, event_type, actor, worker_id, task_id } = entry;
  return [String(id), timestamp, event_type, actor, worker_id ?? '', task_id ?? '', details];
}

async function verify(context: CommandContext, values: AuditValues): Promise<number> {
  const { terminal } = context;
  const found = await finding(context, values);
  if (values.output === 'json') await writeJson(terminal, found);
  else if (values.output === 'jsonl') await terminal.stdout.write(`${jsonText(found, 0)}\n`);
  else if (values.output === 'quiet') await terminal.stdout.write(found.ok ? '' : `${found.id}\n`);
  else {
    const broken = `The record is not as it was written: entry ${found.id} was ${found.what}. ${found.detail}`;
    await terminal.stdout.write(`${found.ok ? soundWords(found) : broken}\n`);
  }
  return found.ok ? 0 : 1;
}

function soundWords({ entries, removed_through: removed, removed_at: at }: AuditFindingView): string {
  // A dispatcher of an older version does not say it.
  const isCut = typeof removed === 'number';
  const from = isCut ? ` from entry ${removed + 1} on` : '';
  const checked = `The record is as it was written${from}: ${several(entries)}, none changed, removed or reordered.`;
  return isCut ? `${checked} ${several(removed)} before were deleted by retention, last at ${at}.` : checked;
}

function several(entries: number): string {
  return counted(entries, 'entry', 'entries');
}

async function finding(context: CommandContext, { api, dbPath, dataDir }: AuditValues): Promise<AuditFindingView> {
  const { client, terminal } = context;
  if (dbPath !== undefined) {
    await note(terminal, `Checking the record in ${dbPath}, without the dispatcher.`);
    return context.verifyRecord(dbPath);
  }
  try {
    return await client.trust.verifyAudit();
  } catch (error) {
    if (!(error instanceof OctasklyError) || error.code !== 'unreachable' || api !== undefined) throw error;
    const file = await databaseIn(context, dataDir);
    if (file === null) throw error;
    await note(terminal, `No dispatcher answers at ${client.baseUrl}: checking the record in ${file}.`);
    return context.verifyRecord(file);
  }
}

/** The database of the dispatcher that keeps its things in `dataDir`; null when there is none. */
async function databaseIn({ files }: CommandContext, dataDir: string): Promise<string | null> {
  const file = `${dataDir}/octaskly.db`;
  try {
    return (await files.find(file)).length === 1 ? file : null;
  } catch {
    return null;
  }
}
