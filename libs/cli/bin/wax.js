#!/usr/bin/env node
// Not built, so that npm finds it when it installs; what it starts is.
import '../dist/wax.js';
