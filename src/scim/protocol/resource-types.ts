import {
  binary,
  complex,
  flag,
  list,
  reference,
  text,
  type Attribute,
  type ResourceType,
  type Schema,
} from './schema.js';

export const USER_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const ENTERPRISE_SCHEMA = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
export const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group';

const NAME: readonly Attribute[] = [
  text('formatted', 'The whole name, as it is to be shown.'),
  text('familyName', 'The family name.'),
  text('givenName', 'The given name.'),
  text('middleName', 'The middle names.'),
  text('honorificPrefix', 'The prefix, such as "Ms.".'),
  text('honorificSuffix', 'The suffix, such as "III".'),
];

const ADDRESS: readonly Attribute[] = [
  text('formatted', 'The whole address, as it is to be shown or printed.'),
  text('streetAddress', 'Street, house number, post office box.'),
  text('locality', 'City or locality.'),
  text('region', 'State or region.'),
  text('postalCode', 'Postal code.'),
  text('country', 'Country, as ISO 3166-1 alpha-2.'),
  text('type', 'What it is used for.', { canonicalValues: ['work', 'home', 'other'] }),
  flag('primary', 'Whether it is the preferred one: one at most.'),
];

const USER_GROUPS = complex(
  'groups',
  'The groups that the person is in, directly or through others.',
  [
    text('value', 'The identifier of the group.', { mutability: 'readOnly', caseExact: true }),
    reference('$ref', 'The URI of the group.', ['Group'], { mutability: 'readOnly' }),
    text('display', 'The name of the group.', { mutability: 'readOnly' }),
    text('type', 'Whether directly or through others.', {
      mutability: 'readOnly',
      canonicalValues: ['direct', 'indirect'],
    }),
  ],
  { multiValued: true, mutability: 'readOnly' },
);

const USER: Schema = {
  id: USER_SCHEMA,
  name: 'User',
  description: 'A person.',
  attributes: [
    text('userName', 'By what the person is known to the directory; one person has it, whatever its case.', {
      required: true,
      uniqueness: 'server',
    }),
    complex('name', 'The parts of the name.', NAME),
    text('displayName', 'The name as it is shown.'),
    text('nickName', 'What the person is called.'),
    reference('profileUrl', 'A page about the person.', ['external']),
    text('title', 'The title, such as "Vice President".'),
    text('userType', 'The relation to the organisation, such as "Contractor".'),
    text('preferredLanguage', 'Languages, as in Accept-Language.'),
    text('locale', 'The locale, such as "en-US".'),
    text('timezone', 'The time zone, such as "Europe/Berlin".'),
    flag('active', 'Whether the person may sign in.'),
    text('password', 'Taken and forgotten: people of a directory sign in through it.', {
      mutability: 'writeOnly',
      returned: 'never',
    }),
    list('emails', 'E-mail addresses.', { types: ['work', 'home', 'other'] }),
    list('phoneNumbers', 'Telephone numbers.', {
      types: ['work', 'home', 'mobile', 'fax', 'pager', 'other'],
    }),
    list('ims', 'Addresses of instant messaging.', {
      types: ['aim', 'gtalk', 'icq', 'xmpp', 'msn', 'skype', 'qq', 'yahoo'],
    }),
    list('photos', 'Pictures of the person.', {
      value: reference('value', 'The URL of the picture.', ['external']),
      types: ['photo', 'thumbnail'],
    }),
    complex('addresses', 'Postal addresses.', ADDRESS, { multiValued: true }),
    USER_GROUPS,
    list('entitlements', 'What the directory says that the person is entitled to. It has no effect here.'),
    list('roles', 'What the directory says that the person is. It has no effect here.'),
    list('x509Certificates', 'Certificates of the person.', {
      value: binary('value', 'DER, in base64.'),
    }),
  ],
};

const ENTERPRISE: Schema = {
  id: ENTERPRISE_SCHEMA,
  name: 'EnterpriseUser',
  description: 'A person of an enterprise.',
  attributes: [
    text('employeeNumber', 'The number that the organisation has given.'),
    text('costCenter', 'The cost centre.'),
    text('organization', 'The organisation.'),
    text('division', 'The division.'),
    text('department', 'The department.'),
    complex('manager', 'Whom the person reports to.', [
      text('value', 'The identifier of the manager.', { caseExact: true }),
      reference('$ref', 'The URI of the manager.', ['User']),
      text('displayName', 'The name of the manager.', { mutability: 'readOnly' }),
    ]),
  ],
};

const GROUP: Schema = {
  id: GROUP_SCHEMA,
  name: 'Group',
  description: 'A group of people and groups.',
  attributes: [
    text('displayName', 'The name; one group of the directory has it, whatever its case.', {
      required: true,
      uniqueness: 'server',
    }),
    complex(
      'members',
      'The people and groups that are in it directly.',
      [
        text('value', 'The identifier of the person or group.', { mutability: 'immutable', caseExact: true }),
        reference('$ref', 'The URI of the person or group.', ['User', 'Group'], { mutability: 'immutable' }),
        text('type', 'Which of the two it is.', {
          mutability: 'immutable',
          canonicalValues: ['User', 'Group'],
        }),
        text('display', 'A name for people; taken and forgotten.', { mutability: 'immutable' }),
      ],
      { multiValued: true },
    ),
  ],
};

export const USER_TYPE: ResourceType = {
  name: 'User',
  endpoint: '/Users',
  description: 'People.',
  schema: USER,
  extensions: [ENTERPRISE],
};

export const GROUP_TYPE: ResourceType = {
  name: 'Group',
  endpoint: '/Groups',
  description: 'Groups.',
  schema: GROUP,
  extensions: [],
};

export const RESOURCE_TYPES: readonly ResourceType[] = [USER_TYPE, GROUP_TYPE];
