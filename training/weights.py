"""All weights of a run in a few flat tensors. So a step is a few passes over memory, and processes can share the weights.

`master` is float32 and belongs to the optimizer. `working` is its copy in bf16, in shared memory; the parameters of the modules
are views of it. `average` is the running average, which is exported in bf16.
"""
import torch

from muon import Muon

ADAM_SHARE = 1 / 30  # learning rate of AdamW for all other weights, as a share of Muon's
CLIP = 1.0


class Weights:
    def __init__(self, model, reader):
        """Copies the values of the modules. Afterwards their parameters are bf16 views of `working`."""
        self.modules = {"model": model, "reader": reader}
        named = [(f"{part}.{name}", p) for part, module in self.modules.items() for name, p in module.named_parameters()]

        groups = [0 if p.dim() == 2 and ("layers." in name or "linear_proj" in name) else 1 if p.dim() > 1 else 2 for name, p in named]
        order = sorted(range(len(named)), key=groups.__getitem__)  # the hidden matrices, then the other tables, then the vectors
        self.names, self.parameters = [named[i][0] for i in order], [named[i][1] for i in order]
        self.sizes = [p.numel() for p in self.parameters]
        hidden = groups.count(0)
        self.matrices = sum(self.sizes[:hidden])
        self.tables = sum(self.sizes[:hidden + groups.count(1)])
        self.master = torch.cat([p.detach().float().flatten() for p in self.parameters])
        self.working = self.master.bfloat16()
        if not self.working.is_cuda:
            self.working.share_memory_()
        for p, view in zip(self.parameters, self.views(self.working)):
            p.data = view
        self.average, self.momentum = self.master.clone(), torch.zeros_like(self.master[:self.matrices])
        self.gradient = torch.zeros_like(self.master)
        self.muon = Muon(self.views(self.master)[:hidden], self.views(self.gradient)[:hidden], self.momentum)
        rest = [torch.nn.Parameter(self.master[a:b]) for a, b in ((self.matrices, self.tables), (self.tables, None))]
        self.adam = torch.optim.AdamW([{"params": [p], "weight_decay": decay} for p, decay in zip(rest, (0.02, 0))], lr=0.0, betas=(0.9, 0.98), fused=True)
        rest[0].grad, rest[1].grad = self.gradient[self.matrices:self.tables], self.gradient[self.tables:]

    def views(self, flat):
        """Returns one tensor for each parameter, in the order of `names`."""
        return [part.view(p.shape) for part, p in zip(flat.split(self.sizes), self.parameters)]

    def step(self, gradients, count, rate, keep):
        """Makes one update from the sum of `gradients` over `count` micro-batches, and updates the running average."""
        self.gradient.copy_(gradients[0])
        for other in gradients[1:]:
            self.gradient.add_(other)
        norm = self.gradient.norm() / count
        self.gradient.mul_(min(1.0, CLIP / (norm.item() + 1e-6)) / count)
        self.muon.step(self.master[:self.matrices], self.gradient[:self.matrices], rate)
        for group in self.adam.param_groups:
            group["lr"] = rate * ADAM_SHARE
        self.adam.step()
        self.working.copy_(self.master)
        self.average.lerp_(self.master, 1 - keep)

    def named(self, flat, part):
        """Returns name -> tensor of one module, including its buffers."""
        prefix = part + "."
        found = {name[len(prefix):]: view.clone() for name, view in zip(self.names, self.views(flat)) if name.startswith(prefix)}
        return found | {name: b.float() for name, b in self.modules[part].named_buffers()}

    def saved(self):
        return {"model": self.named(self.master, "model"), "reader": self.named(self.master, "reader"), "average": self.named(self.average, "model"),
                "average_reader": self.named(self.average, "reader"), "momentum": self.momentum, "adam": self.adam.state_dict()}

    def load(self, kept):
        """Restores from `saved`, or from the weights alone: {"model": …, "reader": …}. Missing parts keep their initial values."""
        for flat, model, reader in ((self.master, "model", "reader"), (self.average, "average", "average_reader")):
            for name, view in zip(self.names, self.views(flat)):
                part, name = name.split(".", 1)
                source = kept.get(model if part == "model" else reader) or kept.get(part)
                if source is not None:
                    view.copy_(source[name])
        if "momentum" in kept:
            self.momentum.copy_(kept["momentum"])
            self.adam.load_state_dict(kept["adam"])
        self.working.copy_(self.master)
