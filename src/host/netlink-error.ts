/** Netlink is unavailable here, or one of its calls failed. The message states which and why. */
export class NetlinkUnavailable extends Error {
  override readonly name: string = 'NetlinkUnavailable';
}

/** A network namespace that we lack the privilege to enter. */
export class NamespaceRefused extends NetlinkUnavailable {
  override readonly name = 'NamespaceRefused';
}
