/** Netlink that cannot be spoken here, or a call of its that failed; the message says which and why. */
export class NetlinkUnavailable extends Error {
  override readonly name: string = 'NetlinkUnavailable';
}

/** A network namespace that we lack the privilege to enter. */
export class NamespaceRefused extends NetlinkUnavailable {
  override readonly name = 'NamespaceRefused';
}
