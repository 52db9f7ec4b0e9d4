/**
 * Whether what this machine sends and receives has to be paid for by volume.
 *
 *   Linux     what NetworkManager says, or guesses, of the connection it goes out by; else a way out by a modem
 *   Android   any network but Wi-Fi (Termux:API)        Windows   the cost of the connection, as PowerShell tells it
 *
 * macOS tells no program. Invariants: what is not known is null; nothing throws or waits, programs are asked in the
 * background. Reference: NMMetered of NetworkManager's D-Bus interface; proc_net(5).
 */

import { join } from 'node:path';
import { isAndroid } from './android.ts';
import { leftOutByName, providerLine } from './interface-kinds.ts';
import { nmMetered, termuxMetered, windowsMetered } from './power-answers.ts';
import { slowReading } from './slow-reading.ts';
import { textOf } from './small-files.ts';
import { askTermux, askTool } from './tool-answer.ts';

const manager = 'org.freedesktop.NetworkManager';
const costScript = [
  '[void][Windows.Networking.Connectivity.NetworkInformation,Windows,ContentType=WindowsRuntime]',
  '[string][Windows.Networking.Connectivity.NetworkInformation]::GetInternetConnectionProfile().GetConnectionCost().NetworkCostType',
].join('; ');

const onLinux = slowReading(60_000, async () => {
  const argv = ['busctl', 'get-property', manager, '/org/freedesktop/NetworkManager', manager, 'Metered'] as const;
  const answer = await askTool([...argv], 3000);
  return answer?.status === 0 ? nmMetered(answer.text) : null;
});

const onPhone = slowReading(60_000, async () => {
  const answer = await askTermux(['termux-wifi-connectioninfo'], 10_000);
  return answer?.status === 0 ? termuxMetered(answer.text) : null;
});

const onWindows = slowReading(300_000, async () => {
  const answer = await askTool(['powershell.exe', '-NoProfile', '-NonInteractive', '-Command', costScript], 15_000);
  return answer?.status === 0 ? windowsMetered(answer.text) : null;
});

/** True where volume costs, as it was last read; null = not known. */
export function isMetered(): boolean | null {
  if (isAndroid()) return onPhone.latest();
  if (process.platform === 'win32') return onWindows.latest();
  return process.platform === 'linux' ? (onLinux.latest() ?? goesByModem()) : null;
}

/** Whether the way out of IPv4 is a modem; null without a way out. `root`: where `/proc` is. */
export function goesByModem(root = '/'): boolean | null {
  const routes = (textOf(join(root, 'proc/net/route')) ?? '').split('\n').map((line) => line.split('\t'));
  const outward = routes.filter(([, destination, , flags]) => destination === '00000000' && flags !== undefined);
  if (outward.length === 0) return null;
  return outward.every(([name = '']) => leftOutByName(name) === providerLine);
}
