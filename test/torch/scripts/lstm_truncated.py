"""An LSTM with dropout between its layers and truncated backpropagation: the hidden state goes from step to step."""
import torch
import torch.nn.functional as F
from torch import nn


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(20, 16), nn.Linear(32, 20)
        self.lstm = nn.LSTM(16, 32, num_layers=2, dropout=0.2, batch_first=True)

    def forward(self, tokens, hidden):
        values, hidden = self.lstm(self.embed(tokens), hidden)
        return self.out(values), hidden


torch.manual_seed(0)
model = Recurrent()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
text = torch.randint(0, 20, (8, 161))
for _ in range(1):
    hidden = None
    for x, y in zip(text[:, :-1].split(20, 1), text[:, 1:].split(20, 1)):
        if hidden is not None:
            hidden = tuple(h.detach() for h in hidden)
        out, hidden = model(x, hidden)
        loss = F.cross_entropy(out.reshape(-1, 20), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
