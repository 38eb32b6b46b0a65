"""Sequences of unequal length, packed by the script between its modules."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.manual_seed(0)
embed, encoder, out = nn.Embedding(20, 12), nn.GRU(12, 16, batch_first=True), nn.Linear(16, 20)
parameters = [*embed.parameters(), *encoder.parameters(), *out.parameters()]
optimizer = torch.optim.Adam(parameters, 1e-2)
tokens, lengths = torch.randint(0, 20, (64, 9)), torch.randint(2, 9, (64,))
for step in range(8):
    rows = torch.randint(0, 64, (16,))
    packed = pack_padded_sequence(embed(tokens[rows, :-1]), lengths[rows], batch_first=True, enforce_sorted=False)
    values, _ = pad_packed_sequence(encoder(packed)[0], batch_first=True, total_length=8)
    inside = torch.arange(8) < lengths[rows].unsqueeze(1)
    loss = F.cross_entropy(out(values[inside]), tokens[rows, 1:][inside])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
