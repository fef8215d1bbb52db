import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A message of a mail server. */
export interface Mail {
  subject: string;
  text: string;
  html: string;
}

export interface MailServer extends AsyncDisposable {
  port: number;
  mails: readonly Mail[];
}

const quotedPrintable = (text: string): string =>
  Buffer.from(
    text
      .replaceAll(/=\r?\n/g, '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16))),
    'latin1',
  )
    .toString()
    .replaceAll('\r\n', '\n');

/** Decodes a header with words in RFC 2047's Q encoding. */
const header = (text: string): string =>
  text
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?utf-8\?q\?(.*?)\?=/gi, (_, word: string) => quotedPrintable(word.replaceAll('_', ' ')));

const parse = (message: string): Mail => {
  const [, subject = ''] = /^Subject: (.*(?:\r\n[ \t].*)*)/m.exec(message) ?? [];
  const [, boundary = ''] = /boundary="?([^"\r\n;]+)/.exec(message) ?? [];
  const parts = message.split(`--${boundary}`).slice(1);
  const partOf = (type: string): string => {
    const part = parts.find((each) => each.includes(`Content-Type: ${type}`)) ?? '';
    return quotedPrintable(part.slice(part.indexOf('\r\n\r\n') + 4).replaceAll(/\r\n\.\./g, '\r\n.')).trim();
  };
  return { subject: header(subject), text: partOf('text/plain'), html: partOf('text/html') };
};

/** Serves one client by RFC 5321, as far as Alertmanager needs it. */
const serve = (socket: Socket, mails: Mail[]): void => {
  const say = (line: string): void => void socket.write(`${line}\r\n`);
  let pending = '';
  let isData = false;
  socket.on('error', () => {});
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    pending += chunk;
    for (;;) {
      const end = isData ? '\r\n.\r\n' : '\r\n';
      const index = pending.indexOf(end);
      if (index < 0) return;
      const line = pending.slice(0, index);
      pending = pending.slice(index + end.length);
      if (isData) {
        isData = false;
        mails.push(parse(`${line}\r\n`));
        say('250 taken');
        continue;
      }
      const command = line.slice(0, 4).toUpperCase();
      isData = command === 'DATA';
      say(isData ? '354 go on' : command === 'QUIT' ? '221 bye' : '250 yes');
      if (command === 'QUIT') socket.end();
    }
  });
  say('220 mail.test');
};

/** Starts a mail server on loopback that keeps its mails. */
export const startMailServer = async (): Promise<MailServer> => {
  const mails: Mail[] = [];
  const server = createServer((socket) => serve(socket, mails)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
};
