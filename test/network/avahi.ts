/**
 * Avahi, the mDNS responder of most Linux machines, inside of a host of a test network: with a message bus of its own
 * and everything it keeps in a `/run` of its own, so that the machine's is not touched.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, Inside, Ran } from './namespaces.ts';

/** What must be installed. */
export const avahiPrograms = ['avahi-daemon', 'avahi-browse', 'avahi-publish', 'dbus-daemon', 'unshare'];

/** A service as `avahi-browse` resolved it. */
export interface Browsed {
  readonly interfaceName: string;
  readonly family: string;
  readonly instance: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly txt: string;
}

export class Avahi {
  private readonly host: Host;
  private readonly env: Readonly<Record<string, string>>;

  private constructor(host: Host, env: Readonly<Record<string, string>>) {
    this.host = host;
    this.env = env;
  }

  /** Starts it as `NAME.local`, and waits until it serves. */
  static async start(host: Host, name: string): Promise<Avahi> {
    const directory = join(host.directory, 'avahi');
    mkdirSync(directory);
    const bus = join(directory, 'bus');
    writeFileSync(
      join(directory, 'bus.conf'),
      `<busconfig><type>custom</type><listen>unix:path=${bus}</listen><auth>EXTERNAL</auth><policy context="default">
       <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`,
    );
    writeFileSync(
      join(directory, 'avahi.conf'),
      `[server]\nhost-name=${name}\nuse-ipv4=yes\nuse-ipv6=yes\n[publish]\npublish-workstation=no\n`,
    );
    const script = `mount -t tmpfs tmpfs /run && mkdir -p /run/dbus /run/avahi-daemon || exit 1
      dbus-daemon --config-file=${directory}/bus.conf --nofork --nopidfile >/dev/null 2>&1 &
      until [ -S ${bus} ]; do sleep 0.02; done
      exec avahi-daemon -f ${directory}/avahi.conf --no-drop-root --no-chroot --no-rlimits`;
    const env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}` };
    const daemon = host.start(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script], env);
    await daemon.line(/Server startup complete/);
    return new Avahi(host, env);
  }

  /** `avahi-browse`: what is there just now, resolved. */
  browse(type = '_octaskly._tcp'): readonly Browsed[] {
    const { stdout } = this.run('avahi-browse', '--resolve', '--terminate', '--parsable', type);
    const resolved = stdout.split('\n').filter((line) => line.startsWith('='));
    return resolved.map((line) => {
      const [, interfaceName = '', family = '', instance = '', , , host = '', address = '', port = '', txt = ''] =
        line.split(';');
      return { interfaceName, family, instance, host, address, port: Number(port), txt };
    });
  }

  /** `avahi-publish`: announces a service until it is ended. */
  async publish(name: string, port: number, ...txt: readonly string[]): Promise<Inside> {
    const command = ['avahi-publish', '--service', name, '_octaskly._tcp', String(port), ...txt];
    const publisher = this.host.start(command, this.env);
    await publisher.line(/Established under name/);
    return publisher;
  }

  private run(...command: readonly string[]): Ran {
    const settings = Object.entries(this.env).map(([key, value]) => `${key}=${value}`);
    return this.host.run('env', ...settings, 'timeout', '20', ...command);
  }
}
