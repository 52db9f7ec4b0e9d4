/** Durations as people read them: two units at most, the larger one leading. */

/** `12ms`, `3.4s`, `5m07s`, `2h05m`, `3d04h`; '' for null. Negative counts as none. */
export function formatDuration(durationMs: number | null): string {
  if (durationMs === null) return '';
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds % 86_400) / 3600)}h`;
}
