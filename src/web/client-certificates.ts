import { isIP, SocketAddress } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { clientAuthTypes, type TlsConfig } from './config/web-config.ts';

// Node prints `DNS:a, IP Address:10.0.0.1, URI:x`. A value that contains a comma or a quote is printed as JSON.
const nextName =
  /(?:DNS|IP Address|URI|email):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)|[^,"]*(?:"(?:[^"\\]|\\.)*")?[^,"]*(?:, |$)/y;

/** The names in a certificate's subjectAltName as Node prints it: hosts, addresses, URIs and mailboxes. */
export const subjectNames = (text: string): string[] => {
  const names: string[] = [];
  nextName.lastIndex = 0;
  while (nextName.lastIndex < text.length) {
    const match = nextName.exec(text);
    // If the text cannot be parsed completely, trust no part of it.
    if (match === null || match[0] === '') return [];
    if (match[1] !== undefined) names.push(match[1].startsWith('"') ? (JSON.parse(match[1]) as string) : match[1]);
  }
  return names;
};

// IPv6 addresses get one canonical spelling.
const canonical = (name: string): string =>
  isIP(name) === 6 ? new SocketAddress({ address: name, family: 'ipv6' }).address : name;

/** Returns whether the list contains one of the certificate's names. */
export const isAllowed = (subjectAltName: string | undefined, allowed: readonly string[]): boolean => {
  const names = new Set(allowed.map(canonical));
  return subjectNames(subjectAltName ?? '').some((name) => names.has(canonical(name)));
};

/** Returns whether the policy admits the client whose handshake has just completed. */
export const admitsClient = (socket: TLSSocket, { clientAuth, allowedSans }: TlsConfig): boolean => {
  const { requires, verifies } = clientAuthTypes[clientAuth];
  if (!requires && !verifies) return true;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return !requires;
  if (verifies && !socket.authorized) return false;
  return allowedSans === undefined || isAllowed(certificate.subjectAltName, allowedSans);
};
