/** Who may join: devices that wait to be let in, and invites for new ones with the code their cameras read. */

import { useState } from 'preact/hooks';
import type { ApprovalView, CreatedInvite, SessionView } from '../../api/trust-schemas.ts';
import { installable } from '../../client/installable.ts';
import { useAction, useNow } from '../hooks.ts';
import type { Live } from '../live.ts';
import { agoText, plainText, untilText } from '../model/format.ts';
import { QrCode } from '../parts/qr.tsx';
import { Failure } from '../parts/small.tsx';
import { useValue } from '../value.ts';

export function DevicesView({ live, session }: { live: Live; session: SessionView }) {
  const cluster = useValue(live.cluster);
  const now = useNow();
  const waiting = cluster?.approvals ?? [];
  return (
    <>
      <h1>Approvals</h1>
      <section aria-label="Devices that wait" aria-live="polite">
        {waiting.length === 0 ? (
          <p class="empty card">
            No device waits. One that runs <code>octaskly worker</code> without a join token appears here.
          </p>
        ) : (
          <ul class="cards wide">
            {waiting.map((device) => (
              <li key={device.id} class="card device">
                <Device live={live} device={device} now={now} />
              </li>
            ))}
          </ul>
        )}
      </section>
      <Invite live={live} now={now} by={session.name} />
    </>
  );
}

function Device({ live, device, now }: { live: Live; device: ApprovalView; now: number }) {
  const { id, code, name, address, platform, arch, version, fingerprint, asked_at, expires_at } = device;
  const { busy, error, run } = useAction();
  const { trust } = live.client;
  const judge = (verdict: 'approve' | 'reject') => (): void =>
    run(async () => {
      await trust[verdict](id);
      await live.refresh();
    });
  return (
    <>
      <h2>{plainText(name)}</h2>
      <p class="code">{code}</p>
      <p>Let it in only if the device shows the same code.</p>
      <p class="facts">
        {address} · {platform}/{arch} · version {plainText(version)} · asked {agoText(asked_at, now)}, ends{' '}
        {untilText(expires_at, now)}
      </p>
      <p class="note fingerprint">{fingerprint}</p>
      <div class="bar">
        <button type="button" class="primary" aria-disabled={busy} onClick={judge('approve')}>
          Approve<span class="hidden"> {plainText(name)}</span>
        </button>
        <button type="button" class="danger" aria-disabled={busy} onClick={judge('reject')}>
          Reject<span class="hidden"> {plainText(name)}</span>
        </button>
      </div>
      <Failure text={error} />
    </>
  );
}

function Invite({ live, now, by }: { live: Live; now: number; by: string }) {
  const [made, setMade] = useState<CreatedInvite | null>(null);
  const [uses, setUses] = useState('1');
  const [hours, setHours] = useState('1');
  const { busy, error, run } = useAction();
  const submit = (event: Event): void => {
    event.preventDefault();
    run(async () =>
      setMade(
        await live.client.trust.createInvite({ uses: Number(uses), expires_in: Math.round(Number(hours) * 3600) }),
      ),
    );
  };
  return (
    <section class="card invite" aria-labelledby="invite">
      <h2 id="invite">Invite a new device</h2>
      <form class="bar" onSubmit={submit}>
        <label>
          <span>Devices</span>
          <input
            type="number"
            min="1"
            max="1000"
            value={uses}
            onInput={(event) => setUses(event.currentTarget.value)}
          />
        </label>
        <label>
          <span>Hours</span>
          <input
            type="number"
            min="0.1"
            max="8760"
            step="any"
            value={hours}
            onInput={(event) => setHours(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" aria-disabled={busy}>
          Make an invite
        </button>
      </form>
      <Failure text={error} />
      {made !== null && <Invited invite={made} now={now} by={by} />}
    </section>
  );
}

function Invited({ invite, now, by }: { invite: CreatedInvite; now: number; by: string }) {
  const { posix, windows } = installable(invite);
  const isForWindows = windows && !posix;
  const installing = isForWindows ? invite.install_windows : invite.install;
  const line = invite.install_works ? installing : `octaskly worker --join ${invite.token}`;
  return (
    <div class="invited">
      <QrCode text={line} label="QR code of the line beside it" />
      <div>
        <p>
          {isForWindows && invite.install_works
            ? 'On the new Windows device, type this line in PowerShell:'
            : 'On the new device, scan it, or type this line:'}
        </p>
        <pre class="command">{line}</pre>
        <CopyButton text={line} />
        <p class="note">
          Good for {invite.uses_max} {invite.uses_max === 1 ? 'device' : 'devices'}, ends{' '}
          {untilText(invite.expires_at, now)}; made by {by}. It is shown this once.
        </p>
        {invite.install_problem !== null && (
          <p class="note">The line that installs Octaskly first does not work from there. {invite.install_problem}</p>
        )}
      </div>
    </div>
  );
}

/** Browsers give the clipboard to pages of this machine and of HTTPS alone; elsewhere there is no button. */
function CopyButton({ text }: { text: string }) {
  const [done, setDone] = useState(false);
  if (!isSecureContext) return null;
  const copy = (): void => void navigator.clipboard.writeText(text).then(() => setDone(true));
  return (
    <button type="button" class="small" onClick={copy}>
      {done ? 'Copied' : 'Copy'}
    </button>
  );
}
