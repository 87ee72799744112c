/**
 * What people make passwords of, lower-case: words that stand in every statistics of leaked passwords, names, seasons,
 * teams, keyboard walks. Written down by hand for this project, under its licence; it holds no list of anybody else.
 */
const WORDS = `
  password passwort passwd pass passphrase secret letmein welcome willkommen bienvenue access login logon signin admin
  administrator root user guest test testing tester temp temporary default changeme change master manager system server
  service support helpdesk office company enterprise business corporate employee personal private public security secure
  safe safety computer laptop desktop internet network website online database oracle mysql postgres linux windows ubuntu
  apple google microsoft amazon facebook twitter instagram youtube netflix github gitlab docker kubernetes waxell agent
  monkey dragon tiger lion eagle falcon panther wolf bear shark horse dolphin elephant rabbit kitten puppy doggy kitty
  butterfly spider scorpion phoenix unicorn chicken turtle penguin buffalo mustang cobra viper raptor bulldog
  baseball football basketball soccer hockey tennis golf rugby cricket volleyball swimming running cycling fishing hunting
  yankees lakers cowboys steelers packers eagles raiders patriots broncos dolphins giants arsenal chelsea liverpool
  manchester united barcelona madrid juventus bayern dortmund
  michael jennifer jessica ashley amanda daniel matthew joshua andrew christopher david james robert john joseph william
  thomas charles anthony mark steven kevin brian george edward jason justin brandon nicholas jonathan ryan jacob samantha
  elizabeth michelle melissa sarah nicole stephanie heather rebecca rachel laura emily hannah victoria charlotte olivia
  sophia isabella emma lucas oliver benjamin alexander sebastian martin peter paul maria anna julia lisa sandra andrea
  patrick richard stefan thorsten juergen carlos miguel jose antonio francisco pedro giovanni marco luca pierre jean
  winter spring summer autumn fall january february march april may june july august september october november december
  monday tuesday wednesday thursday friday saturday sunday morning evening tonight today tomorrow yesterday birthday
  christmas easter holiday vacation weekend
  love lover iloveyou loveyou loveme iloveme ilovemyself mylove sweetheart sweetie honey baby babygirl darling princess
  prince queen king angel heaven hello goodbye happy lucky smile friend friends friendship family mother father mommy
  daddy brother sister children grandma grandpa forever always together beautiful pretty cute sexy
  sunshine rainbow flower rose daisy lily garden forest mountain river ocean beach island moon star stars starlight sky
  cloud thunder lightning storm snow ice fire water earth wind diamond gold golden silver crystal platinum ruby emerald
  superman batman spiderman ironman wolverine hulk joker starwars startrek skywalker yoda jedi vader gandalf frodo hobbit
  potter pokemon pikachu mario zelda sonic minecraft fortnite warcraft starcraft diablo matrix terminator rambo rocky
  ninja samurai warrior knight wizard hunter killer shadow ghost vampire zombie monster demon devil legend hero
  freedom liberty justice peace power energy magic mystery destiny fantasy dream dreams dreamer victory winner champion
  success trust trustno faith hope believe jesus christ church bible blessed grace god lord heaven amen
  america american canada mexico brazil england london france paris germany berlin deutschland hamburg munich muenchen
  frankfurt italy roma milano spain madrid portugal lisboa russia moscow china beijing japan tokyo india mumbai delhi
  australia sydney texas florida california newyork chicago boston dallas houston denver seattle miami atlanta vegas
  ferrari porsche mercedes bmw audi toyota honda nissan mazda corvette camaro harley yamaha kawasaki ducati suzuki
  chocolate cookie cookies cheese pizza banana orange cherry apple peach strawberry pepper ginger sugar coffee whiskey
  vodka tequila beer wine cocacola pepsi budweiser heineken jackdaniels
  black white red green blue yellow purple pink brown orange silver
  music guitar piano drummer metallica nirvana beatles eminem rockstar hiphop techno dance dancer singer player gamer
  money dollar cash bitcoin crypto rich million millionaire casino poker jackpot
  soldier marine army navy airforce police fireman doctor nurse teacher student school college university engineer driver
  qwerty qwertyuiop qwertz qwertzuiop azerty azertyuiop asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm yxcvbnm qazwsx qazwsxedc
  qweasd qweasdzxc wasd qwer tyui poiu poiuytrewq lkjhgfdsa mnbvcxz abc abcd abcdef abcdefg abcdefgh abcdefghijkl
  aaa xxx zzz asd qwe zxc foobar foo bar baz lorem ipsum
  nothing whatever something anything everything nobody somebody please thankyou sorry cheese banana stupid idiot crazy
  cool awesome great super best number one two three four five six seven eight nine ten zero hundred thousand
  good bad big small little strong fast new old first last next more my your our the is i a me you we
`;

export const COMMON_WORDS: ReadonlySet<string> = new Set(WORDS.trim().split(/\s+/));
