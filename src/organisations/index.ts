export { CreateOrganisation } from './create-organisation.js';
export { MendOrganisations } from './mend-organisations.js';
export { OrganisationsModule } from './organisations.module.js';
export { Placement } from './placement.js';
