import { Module } from '@nestjs/common';
import { AgentsController } from './agents.controller.js';
import { Agents } from './agents.js';
import { LabelsController } from './labels.controller.js';
import { ProjectsController } from './projects.controller.js';
import { Projects } from './projects.js';

@Module({
  controllers: [ProjectsController, AgentsController, LabelsController],
  providers: [Projects, Agents],
  exports: [Agents],
})
export class AgentsModule {}
