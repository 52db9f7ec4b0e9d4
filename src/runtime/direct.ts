/**
 * How a dispatcher is called: past every proxy of the environment (`http_proxy` and its kin), whatever the address. A
 * dispatcher is on this network; a proxy that leads out of it would be shown the token, and could answer in its place.
 *
 * Not for calls to the world: notifications and releases go by the proxy where there is one.
 */

/** To be part of a call's options. Bun's own word, which its types do not know; Node's `fetch` takes no proxy anyway. */
export const direct = { proxy: false } as unknown as RequestInit;
