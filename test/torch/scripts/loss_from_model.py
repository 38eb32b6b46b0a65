"""A language model with tied weights that returns its own loss, as Hugging Face's do."""
import torch
import torch.nn.functional as F
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.head = nn.Linear(32, 50)
        self.head.weight = self.embed.weight

    def forward(self, tokens, labels=None):
        logits = self.head(self.layer(self.embed(tokens)))
        loss = None if labels is None else F.cross_entropy(logits.view(-1, 50), labels.view(-1))
        return logits, loss


torch.manual_seed(0)
model = LanguageModel()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(6):
    tokens = torch.randint(0, 50, (8, 16))
    _, loss = model(tokens, labels=tokens.roll(-1, 1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
