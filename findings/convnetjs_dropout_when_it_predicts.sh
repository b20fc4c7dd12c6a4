#!/usr/bin/env bash
# ConvNetJS: dropout multiplies by the probability to drop a unit when it predicts, not by that to keep it.
#
# With drop_prob 0.2, units of 1 have the mean 0.8 in training, and are 0.2 in a prediction. With 0.5, the default, both
# are the same.
#
# Seen with convnetjs 0.3.0:
#   drop_prob 0.2: in training 0.80 on average, in a prediction 0.2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund convnetjs@0.3.0
cat > dropout.js <<'EOF'
const { Net, Vol } = require("convnetjs");
const net = new Net();
net.makeLayers([
  { type: "input", out_sx: 1, out_sy: 1, out_depth: 2 },
  { type: "fc", num_neurons: 2, activation: "relu", drop_prob: 0.2 },
  { type: "softmax", num_classes: 2 },
]);
const dropout = net.layers.find((layer) => layer.layer_type === "dropout");
const predicted = dropout.forward(new Vol([1, 1]), false).w[0];
let sum = 0;
for (let i = 0; i < 20000; i++) sum += dropout.forward(new Vol([1, 1]), true).w[0];
const trained = sum / 20000;
console.log(`drop_prob 0.2: in training ${trained.toFixed(2)} on average, in a prediction ${predicted}`);
if (Math.abs(predicted - 0.2) > 1e-9 || Math.abs(trained - 0.8) > 0.02) {
  console.error("changed");
  process.exit(1);
}
console.log("as seen before");
EOF
node dropout.js
