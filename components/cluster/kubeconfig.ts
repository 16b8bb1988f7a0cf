import { z } from "zod";

const printed = z.strictObject({
  kubeconfig: z.base64(),
  caCertHash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

/** What the control plane answered: the admin's kubeconfig, its server replaced by the host given, and the CA's hash. */
export function parseControlPlane(
  answer: string,
  host: string,
): { readonly kubeconfig: string; readonly caCertHash: string } {
  const { kubeconfig, caCertHash } = printed.parse(JSON.parse(answer));
  const text = Buffer.from(kubeconfig, "base64").toString("utf8");
  const server = `https://${host.includes(":") ? `[${host}]` : host}:6443`;
  return { kubeconfig: text.replace(/^( *server: ).*$/m, `$1${server}`), caCertHash };
}

const member = z.strictObject({ token: z.string().regex(/^[a-z0-9]{6}\.[a-z0-9]{16}$/) });

/** The bootstrap token that the control plane answered. */
export function parseMembers(answer: string): string {
  return member.parse(JSON.parse(answer)).token;
}
