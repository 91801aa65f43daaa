import { injectable } from 'inversify';
import { Fatal } from 'jobrail';

export interface Charge {
  orderId: string;
  amount: number;
  currency: string;
}

/** A payment provider by HTTP: `POST /charges`, with the header `Idempotency-Key` as most of them know it. */
@injectable()
export class PaymentProvider {
  constructor(private readonly url: string) {}

  /** @param key a second request with the same one charges nothing and has the answer of the first. */
  async charge(
    charge: Charge,
    { key, signal }: { key?: string; signal: AbortSignal },
  ): Promise<{ id: string }> {
    const answer = await fetch(`${this.url}/charges`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      body: JSON.stringify(charge),
      signal,
    });
    if (answer.ok) return (await answer.json()) as { id: string };
    const message = `the provider answered ${answer.status}`;
    // A card that is refused is refused tomorrow, too.
    throw answer.status === 402 ? new Fatal(message) : new Error(message);
  }
}
