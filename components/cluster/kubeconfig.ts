import { z } from "zod";

const printed = z.strictObject({
  kubeconfig: z.base64(),
  caCertHash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  token: z.string().regex(/^[a-z0-9]{6}\.[a-z0-9]{16}$/),
});

/** What a control plane tells whoever joins or administers it. Holds secrets. */
export interface ControlPlaneAnswer {
  /** Kubeconfig of the administrator. */
  readonly kubeconfig: string;
  /** `sha256:` and the hexadecimal hash of the cluster CA's public key. */
  readonly caCertHash: string;
  /** Bootstrap token that nodes join with. */
  readonly token: string;
}

/** Reads what the control plane answered; the server in the kubeconfig is replaced by the host given. */
export function parseControlPlane(answer: string, host: string): ControlPlaneAnswer {
  const { kubeconfig, caCertHash, token } = printed.parse(JSON.parse(answer));
  const text = Buffer.from(kubeconfig, "base64").toString("utf8");
  const server = `https://${host.includes(":") ? `[${host}]` : host}:6443`;
  return { kubeconfig: text.replace(/^( *server: ).*$/m, `$1${server}`), caCertHash, token };
}
