/** The form for a new task. What is wrong stands at the field that the answer of the API names. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { limits } from '../../api/limits.ts';
import { type FieldError, OctasklyError, reasonOf } from '../../base/errors.ts';
import { createClient } from '../../client/client.ts';
import type { Live } from '../live.ts';
import { emptyFields, type Fields, fieldOf, requestOf } from '../model/form.ts';
import { bytesText } from '../model/format.ts';
import { fragmentOf } from '../model/place.ts';
import { Failure } from '../parts/small.tsx';
import { sendingFetch } from '../upload.ts';

interface FieldRule {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly kind?: 'number' | 'lines';
  readonly choices?: readonly (readonly [value: string, label: string])[];
}

const common: readonly FieldRule[] = [
  { name: 'name', label: 'Name' },
  {
    name: 'priority',
    label: 'Priority',
    choices: ['low', 'normal', 'high', 'critical'].map((each) => [each, each] as const),
  },
  { name: 'timeout', label: 'Time limit', hint: 'seconds; the dispatcher has one where this is empty', kind: 'number' },
  { name: 'retry_count', label: 'Retries', hint: 'further attempts after a failure', kind: 'number' },
  { name: 'outputs', label: 'Files to keep', hint: 'paths or globs, one a line', kind: 'lines' },
];

const special: readonly FieldRule[] = [
  { name: 'requires.cpu_cores', label: 'Cores it needs', kind: 'number' },
  { name: 'requires.memory_mb', label: 'Memory it needs', hint: 'MiB', kind: 'number' },
  { name: 'requires.gpu', label: 'GPUs it needs', kind: 'number' },
  { name: 'requires.labels', label: 'Labels of the worker', hint: 'name=value, one a line', kind: 'lines' },
  { name: 'memory_limit_mb', label: 'Memory limit', hint: 'MiB', kind: 'number' },
  {
    name: 'sandbox_level',
    label: 'Isolation at least',
    choices: [
      ['', 'as the worker gives'],
      ...['none', 'basic', 'strict', 'very-strict'].map((each) => [each, each] as const),
    ],
  },
  {
    name: 'network',
    label: 'Network',
    choices: [
      ['', 'not needed'],
      ['yes', 'needed'],
    ],
  },
  { name: 'env', label: 'Environment', hint: 'NAME=value, one a line', kind: 'lines' },
  { name: 'tags', label: 'Tags', hint: 'name=value, one a line', kind: 'lines' },
];

const names = ['command', 'inputs', ...[...common, ...special].map(({ name }) => name)];

/** What came of the last try: messages by field, and one for the whole. */
interface Wrong {
  readonly whole: string | null;
  readonly fields: Readonly<Record<string, string>>;
}
const nothingWrong: Wrong = { whole: null, fields: {} };

function wrongOf(error: unknown): Wrong {
  const found: readonly FieldError[] = error instanceof OctasklyError ? error.fields : [];
  const placed = found.map(({ path, message }) => [fieldOf(path, names), message] as const);
  const fields = Object.fromEntries(placed.filter(([name]) => name !== ''));
  return { whole: placed.length > 0 && placed.every(([name]) => name !== '') ? null : reasonOf(error), fields };
}

/** What is on its way. */
interface Sending {
  /** From 0 to 1; null = there are no files. */
  readonly share: number | null;
  readonly cancel: () => void;
}

interface Form {
  readonly fields: Fields;
  readonly files: readonly File[];
}

/** Submits and gives the id. Errors: as `Client.submitTask`; `too_large`. */
async function send(live: Live, { fields, files }: Form, signal: AbortSignal, onSent: (share: number) => void) {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (total > limits.bodyBytesMax) throw tooLarge(total);
  const request = requestOf(
    fields,
    files.map(({ name }) => name),
  );
  if (files.length === 0) return (await live.client.submitTask(request, { signal })).id;
  const sent = files.map((file) => ({ name: file.name, content: file }));
  const client = createClient({ baseUrl: live.client.baseUrl, fetch: sendingFetch(onSent) });
  return (await client.overview.submitWithFiles(request, sent, signal)).id;
}

/** The form's way out: what is on its way, and what was wrong with the last try. */
function useSubmission(live: Live, form: Form) {
  const [wrong, setWrong] = useState(nothingWrong);
  const [sending, setSending] = useState<Sending | null>(null);
  const submit = async (): Promise<void> => {
    if (sending !== null) return;
    const controller = new AbortController();
    const cancel = (): void => controller.abort(new OctasklyError('timeout', 'Not sent: it was cancelled.'));
    setWrong(nothingWrong);
    setSending({ share: form.files.length === 0 ? null : 0, cancel });
    try {
      const id = await send(live, form, controller.signal, (share) => setSending({ share, cancel }));
      location.hash = fragmentOf('tasks', id);
    } catch (error) {
      setWrong(wrongOf(error));
      setSending(null);
    }
  };
  const forget = (name: string): void => setWrong(({ whole, fields: { [name]: _, ...fields } }) => ({ whole, fields }));
  return { wrong, sending, submit, forget };
}

export function SubmitView({ live }: { live: Live }) {
  const [fields, setFields] = useState<Fields>(emptyFields);
  const [files, setFiles] = useState<readonly File[]>([]);
  const { wrong, sending, submit, forget } = useSubmission(live, { fields, files });
  const form = useRef<HTMLFormElement>(null);
  // Whoever fills it in by keyboard goes on where something is wrong.
  useEffect(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus(), [wrong]);
  const set = (name: string, value: string): void => setFields((old) => ({ ...old, [name]: value }));
  const field = (rule: FieldRule) => (
    <Field key={rule.name} rule={rule} value={fields[rule.name] ?? ''} wrong={wrong.fields[rule.name]} set={set} />
  );
  return (
    <form
      ref={form}
      class="submit"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <h1>Submit a task</h1>
      <div class="card">
        <Labelled name="command" label="Command" hint="run by /bin/sh -c" wrong={wrong.fields.command}>
          <textarea
            {...aria('command', wrong.fields.command)}
            class="mono"
            rows={3}
            spellcheck={false}
            value={fields.command}
            onInput={(event) => set('command', event.currentTarget.value)}
          />
        </Labelled>
        <div class="grid">{common.map(field)}</div>
        <Labelled
          name="inputs"
          label="Files to send along"
          hint={`${bytesText(limits.bodyBytesMax)} in all`}
          wrong={wrong.fields.inputs}
        >
          <input
            {...aria('inputs', wrong.fields.inputs)}
            type="file"
            multiple
            onChange={(event) => {
              setFiles([...(event.currentTarget.files ?? [])]);
              forget('inputs');
            }}
          />
        </Labelled>
        <details open={special.some(({ name }) => wrong.fields[name] !== undefined) || undefined}>
          <summary>What it needs, and its limits</summary>
          <div class="grid">{special.map(field)}</div>
        </details>
        <Failure text={wrong.whole} />
        <Buttons sending={sending} />
      </div>
    </form>
  );
}

function Buttons({ sending }: { sending: Sending | null }) {
  const share = sending?.share ?? null;
  const percent = share === null ? null : Math.floor(share * 100);
  return (
    <div class="bar">
      <button type="submit" class="primary" aria-disabled={sending !== null}>
        {sending === null ? 'Submit' : percent === null ? 'Sending …' : `Sending ${percent} %`}
      </button>
      {sending !== null && percent !== null && (
        <>
          <progress max={100} value={percent} aria-label="Sent" />
          <button type="button" onClick={sending.cancel}>
            Cancel
          </button>
        </>
      )}
    </div>
  );
}

function tooLarge(total: number): OctasklyError {
  const message = `are ${bytesText(total)} together; up to ${bytesText(limits.bodyBytesMax)} go along here. Larger ones go with: octaskly submit --in FILE`;
  return new OctasklyError('too_large', message, { fields: [{ path: 'inputs', message }] });
}

/** What ties a control to its hint and to what is wrong with it. */
function aria(name: string, wrong: string | undefined) {
  return { id: `f-${name}`, name, 'aria-invalid': wrong !== undefined, 'aria-describedby': `h-${name}` };
}

interface LabelledProps {
  readonly name: string;
  readonly label: string;
  readonly hint?: string | undefined;
  readonly wrong: string | undefined;
  readonly children: ComponentChildren;
}

function Labelled({ name, label, hint, wrong, children }: LabelledProps) {
  return (
    <div class="field">
      <label for={`f-${name}`}>{label}</label>
      {children}
      <p
        id={`h-${name}`}
        class={wrong === undefined ? 'note' : 'failure'}
        role={wrong === undefined ? undefined : 'alert'}
      >
        {wrong ?? hint ?? ''}
      </p>
    </div>
  );
}

interface FieldProps {
  readonly rule: FieldRule;
  readonly value: string;
  readonly wrong: string | undefined;
  readonly set: (name: string, value: string) => void;
}

function Field({ rule, value, wrong, set }: FieldProps) {
  const { name, label, hint, kind, choices } = rule;
  const changed = (event: { currentTarget: { value: string } }): void => set(name, event.currentTarget.value);
  const shared = { ...aria(name, wrong), value };
  return (
    <Labelled name={name} label={label} hint={hint} wrong={wrong}>
      {choices !== undefined ? (
        <select {...shared} onChange={changed}>
          {choices.map(([each, text]) => (
            <option key={each} value={each}>
              {text}
            </option>
          ))}
        </select>
      ) : kind === 'lines' ? (
        <textarea {...shared} class="mono" rows={2} spellcheck={false} onInput={changed} />
      ) : (
        <input {...shared} inputMode={kind === 'number' ? 'decimal' : 'text'} onInput={changed} />
      )}
    </Labelled>
  );
}
