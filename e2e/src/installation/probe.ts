import type { TestHost } from '@oakestra/testbed';

export interface HttpProbe {
  readonly status: number;
  readonly location: string;
  readonly body: string;
}

/** What `url` answers when it is asked on `host`: its loopback is the host's. Rejects when nothing answers. */
export async function httpFrom(
  host: TestHost,
  url: string,
  { method = 'GET', headers = {}, body }: ProbeRequest = {},
): Promise<HttpProbe> {
  const script = `
    fetch(${JSON.stringify(url)}, ${JSON.stringify({ method, headers, body })}).then(async (answer) => {
      const { status, headers } = answer;
      console.log(JSON.stringify({ status, location: headers.get('location') ?? '', body: await answer.text() }));
    }).catch((error) => { console.error(String(error.cause ?? error)); process.exit(1); });`;
  const { stdout } = await host.exec(process.execPath, ['-e', script]);
  return JSON.parse(stdout) as HttpProbe;
}

interface ProbeRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const UDP_TIMEOUT_MS = 2_000;

/** The answer to one datagram that is sent from `host`. */
export async function udpFrom(
  host: TestHost,
  target: { readonly address: string; readonly port: number },
  text: string,
): Promise<string> {
  const script = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (answer) => { console.log(answer.toString()); socket.close(); });
    socket.on('error', (error) => { console.error(error.message); process.exit(1); });
    socket.connect(${target.port}, ${JSON.stringify(target.address)}, () => socket.send(${JSON.stringify(text)}));
    setTimeout(() => { console.error('no answer'); process.exit(1); }, ${UDP_TIMEOUT_MS}).unref();`;
  const { stdout } = await host.exec(process.execPath, ['-e', script]);
  return stdout.trim();
}
