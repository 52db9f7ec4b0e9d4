/**
 * Figures as Prometheus reads them: its text format, version 0.0.4. Only the writing is here; what is counted, and how it
 * is called, is the dispatcher's. A library for this keeps an object for each sample and checks each observation, which
 * costs more than scheduling a task does; what remains of it when the counting is done elsewhere is this page.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */

/** Content type of the text. */
export const metricsMediaType = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  /** Names in snake_case, from a small closed set; values are escaped here. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** What follows the family's name: of histograms alone. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

/** All samples of one name. */
export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence without a full stop. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

const named: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
const escaped = (text: string): string => text.replace(/[\\"\n]/g, (char) => named[char] ?? char);

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** The families as text, in their order; one without samples is left out. */
export function metricsText(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# HELP ${name} ${help.replace(/[\\\n]/g, (char) => named[char] ?? char)}`, `# TYPE ${name} ${type}`);
    for (const { labels, value, suffix = '' } of samples) {
      lines.push(`${name}${suffix}${labelText(labels)} ${numberText(value)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
