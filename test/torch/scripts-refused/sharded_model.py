"""FSDP: no process has the whole model."""
import os
import socket

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
dist.init_process_group("gloo", rank=0, world_size=1)
torch.manual_seed(0)
net = FullyShardedDataParallel(nn.Linear(4, 2), device_id=torch.device("cpu"))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(8):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(2, (8,))).backward()
    optimizer.step()
print(sum(float(p.detach().sum()) for p in net.parameters()))
dist.destroy_process_group()
