import { isIP, SocketAddress } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { clientAuthTypes, type TlsConfig } from './config/web-config.ts';

// Node writes `DNS:a, IP Address:10.0.0.1, URI:x`, and a value that holds a comma or a quote as JSON.
const nextName =
  /(?:DNS|IP Address|URI|email):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)|[^,"]*(?:"(?:[^"\\]|\\.)*")?[^,"]*(?:, |$)/y;

/** The names in a certificate's subjectAltName as Node prints it: of hosts, addresses, URIs and mailboxes. */
export const subjectNames = (text: string): string[] => {
  const names: string[] = [];
  nextName.lastIndex = 0;
  while (nextName.lastIndex < text.length) {
    const match = nextName.exec(text);
    // A file that cannot be read to its end is not trusted in part.
    if (match === null || match[0] === '') return [];
    if (match[1] !== undefined) names.push(match[1].startsWith('"') ? (JSON.parse(match[1]) as string) : match[1]);
  }
  return names;
};

// One spelling for each IPv6 address.
const canonical = (name: string): string =>
  isIP(name) === 6 ? new SocketAddress({ address: name, family: 'ipv6' }).address : name;

/** Whether one of a certificate's names is in the list. */
export const isAllowed = (subjectAltName: string | undefined, allowed: readonly string[]): boolean => {
  const names = new Set(allowed.map(canonical));
  return subjectNames(subjectAltName ?? '').some((name) => names.has(canonical(name)));
};

/** Whether the policy lets the client in whose handshake has just ended. */
export const admitsClient = (socket: TLSSocket, { clientAuth, allowedSans }: TlsConfig): boolean => {
  const { requires, verifies } = clientAuthTypes[clientAuth];
  if (!requires && !verifies) return true;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return !requires;
  if (verifies && !socket.authorized) return false;
  return allowedSans === undefined || isAllowed(certificate.subjectAltName, allowedSans);
};
