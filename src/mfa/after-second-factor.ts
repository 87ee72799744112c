import { Injectable } from '@nestjs/common';

/** What is to be done with a session that was opened after a second factor, by whoever gave the first proof. */
export type SessionFollower = (session: { id: string; userId: string }, note: unknown) => Promise<void>;

/** Rooms that give first proofs say here what they do with the session once the second was given. */
@Injectable()
export class AfterSecondFactor {
  readonly #followers = new Map<string, SessionFollower>();

  /** @param method as sessions are opened by: `oidc`, `saml` */
  follow(method: string, follower: SessionFollower): void {
    this.#followers.set(method, follower);
  }

  /** In the running unit of work. */
  async opened(method: string, session: { id: string; userId: string }, note: unknown): Promise<void> {
    if (note !== undefined) await this.#followers.get(method)?.(session, note);
  }
}
