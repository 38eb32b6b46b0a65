"""DistributedDataParallel over two processes, of which the first one is recorded."""
import os
import subprocess
import sys
import tempfile

import torch
import torch.distributed as dist
from torch import nn

rank = int(os.environ.get("RANK", "0"))
meeting = os.environ.setdefault("MEETING", os.path.join(tempfile.mkdtemp(), "file"))
if rank == 0:
    env = {k: v for k, v in os.environ.items() if k != "BASIN_PROBE"}
    other = subprocess.Popen([sys.executable, __file__], env={**env, "RANK": "1"})
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
torch.manual_seed(0)
net = nn.parallel.DistributedDataParallel(nn.Linear(4, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
torch.manual_seed(rank)
for _ in range(5):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(torch.randn(16, 4)), torch.randint(3, (16,))).backward()
    optimizer.step()
if rank == 0:
    print([p.tolist() for p in net.parameters()])
dist.destroy_process_group()
if rank == 0:
    sys.exit(other.wait())
