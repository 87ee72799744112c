import { Controller, Get, Post } from '@nestjs/common';
import { PLATFORM_TENANT } from '../platform/database/index.js';
import { Endpoint, PUBLIC, UNAUDITED } from '../platform/http/endpoint.js';
import { auditDetails } from '../platform/http/request-context.js';
import { RegistryWork } from '../requests/index.js';
import { CheckpointKeys } from './checkpoint-keys.js';
import { CheckpointKeysDto, NewCheckpointKeyDto } from './proofs.dto.js';

@Controller('v1/audit/keys')
export class CheckpointKeysController {
  constructor(
    private readonly keys: CheckpointKeys,
    private readonly work: RegistryWork,
  ) {}

  @Get()
  @Endpoint({
    permission: PUBLIC,
    reason: 'Public keys: whoever verifies a checkpoint needs them, and may not have an account.',
    audit: UNAUDITED,
    summary: 'The keys that checkpoints are signed with.',
  })
  async list(): Promise<CheckpointKeysDto> {
    const items = (await this.keys.all()).map(({ verifier, createdAt, retiredAt }) => ({
      verifier,
      createdAt: createdAt.toISOString(),
      ...(retiredAt && { retiredAt: retiredAt.toISOString() }),
    }));
    return { items };
  }

  @Post('rotate')
  @Endpoint({
    permission: 'checkpoint_key:rotate',
    audit: 'checkpoint_key.rotated',
    summary:
      'Makes a new key sign checkpoints; the former one signs beside it until the next rotation. Needs the operator key.',
  })
  async rotate(): Promise<NewCheckpointKeyDto> {
    const verifier = await this.work.run(PLATFORM_TENANT, async (registry) => {
      const made = await this.keys.rotate(registry);
      auditDetails({ resource: { type: 'checkpoint_key', id: made.split('+')[1] ?? '' } });
      return made;
    });
    return { verifier };
  }
}
