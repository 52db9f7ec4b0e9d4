/**
 * Names (RFC 6762 section 16, RFC 6763 section 4): how a service is called on the wire, and which name comes next when
 * one is taken.
 *
 * A name is its labels joined by dots; a dot inside a label is written as `labelDot`, since an instance may well be called
 * `Pi 4.1`. `labels.ts` turns it into the real dot and back at the edge. Names compare without regard to ASCII case.
 */

/** Stands for a dot inside a label. No label of ours holds this control character otherwise. */
export const labelDot = '\x1f';

/** Most bytes of one label. */
const labelBytesMax = 63;

/** Where types of services are asked for (RFC 6763 section 9). */
export const enumerationName = '_services._dns-sd._udp.local';

const bytes = new TextEncoder();

/** The form of a name by which it is compared: ASCII letters small, all else as it is. */
export function canonical(name: string): string {
  return /[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : name;
}

/** `_octaskly._tcp` → `_octaskly._tcp.local`. */
export function typeName(type: string): string {
  return `${type}.local`;
}

/** `Pi 4`, `_octaskly._tcp` → `Pi 4._octaskly._tcp.local`. */
export function instanceName(instance: string, type: string): string {
  return `${instance.replaceAll('.', labelDot)}.${typeName(type)}`;
}

/** The instance a name of that type speaks of, as people read it; null when it is none, or none that can be shown. */
export function instanceOf(name: string, type: string): string | null {
  const suffix = `.${typeName(type)}`;
  if (!canonical(name).endsWith(canonical(suffix))) return null;
  const label = name.slice(0, -suffix.length);
  if (label === '' || label.includes('.')) return null;
  const instance = label.replaceAll(labelDot, '.');
  return /\p{Cc}/u.test(instance) ? null : instance;
}

/** `octaskly-1f2e` → `octaskly-1f2e.local`. */
export function hostName(label: string): string {
  return `${label.replaceAll('.', '-')}.local`;
}

/** The instance to try as number `attempt`, from 1: `pi`, `pi (2)` … At most 63 bytes. */
export function instanceCandidate(wanted: string, attempt: number): string {
  const suffix = attempt === 1 ? '' : ` (${attempt})`;
  return cut(wanted, labelBytesMax - suffix.length) + suffix;
}

/** The host label to try as number `attempt`, from 1: `pi`, `pi-2` … At most 63 bytes. */
export function hostCandidate(wanted: string, attempt: number): string {
  const suffix = attempt === 1 ? '' : `-${attempt}`;
  return cut(wanted, labelBytesMax - suffix.length) + suffix;
}

/** As many whole characters of `text` as fit. */
function cut(text: string, bytesMax: number): string {
  const { read } = bytes.encodeInto(text, new Uint8Array(bytesMax));
  return text.slice(0, read);
}
