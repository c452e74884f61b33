// Preloaded into the emulator: it says on which port it listens, and it ends when whoever started it is gone, however
// that happened, because then its standard input closes.
const net = require("net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  this.once("listening", () => console.log(`leash: port ${this.address().port}`));
  return listen.apply(this, args);
};
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
