import { Module } from '@nestjs/common';
import { OrganisationsModule } from '../organisations/index.js';
import { RunsModule } from '../runs/index.js';
import { BeginMove } from './begin-move.js';
import { ClearCell } from './clear-cell.js';
import { CutOver } from './cut-over.js';
import { MoveRegistry } from './move-registry.js';
import { MoveSteps } from './move-steps.js';
import { MovesController } from './moves.controller.js';

@Module({
  imports: [OrganisationsModule, RunsModule],
  controllers: [MovesController],
  providers: [BeginMove, ClearCell, CutOver, MoveRegistry, MoveSteps],
})
export class MovesModule {}
