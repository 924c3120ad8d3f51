using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>Lifecycle hooks, and the stop of a container, which one of them is part of.</summary>
internal sealed partial class PodWorker
{
    // As in the kubelet: a container has this long after SIGTERM even when its preStop hook used up the grace period.
    private static readonly TimeSpan s_leastGrace = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Runs the hook postStart, before which the container does not count as running and no later container starts. When it
    /// fails the container is stopped, and what its policy says happens.
    /// </summary>
    private async Task PostStartAsync(ContainerSlot slot, IContainer container)
    {
        if (slot.Spec.At("lifecycle").At("postStart") is not { } hook)
        {
            return;
        }

        var succeeded = await HookAsync(slot, hook, container, _graceOver.Token).ConfigureAwait(false);
        _abort.Token.ThrowIfCancellationRequested();
        if (succeeded || container.Exited.IsCompleted)
        {
            return;
        }

        // The exit reaches the loop as any other does.
        Track(KillUnhealthyAsync(slot, container, null));
    }

    /// <summary>Runs a hook until it is through, the container ends or time is over; true when it succeeded.</summary>
    private async Task<bool> HookAsync(ContainerSlot slot, JsonObject hook, IContainer container, CancellationToken over)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_abort.Token, over);
        var done = _actions.RunAsync(slot.Spec, hook, slot.Launch!, Timeout.InfiniteTimeSpan, end.Token);
        await Task.WhenAny(done, container.Exited).ConfigureAwait(false);
        try
        {
            await end.CancelAsync().ConfigureAwait(false);
            return await done.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task KillUnhealthyAsync(ContainerSlot slot, IContainer container, string? probe)
    {
        var seconds = (probe is null ? null : slot.Spec.At(probe).Number("terminationGracePeriodSeconds"))
            ?? _pod.At("spec").Number("terminationGracePeriodSeconds") ?? 30;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), _context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _abort.Token);
        await TerminateAsync(slot, container, either.Token).ConfigureAwait(false);
    }

    /// <summary>The hook preStop, SIGTERM, and SIGKILL when the grace period is over.</summary>
    private async Task TerminateAsync(ContainerSlot slot, IContainer container, CancellationToken graceOver)
    {
        var least = Task.CompletedTask;
        if (slot.Spec.At("lifecycle").At("preStop") is { } hook && !graceOver.IsCancellationRequested)
        {
            await HookAsync(slot, hook, container, graceOver).ConfigureAwait(false);
            least = Task.Delay(s_leastGrace, _context.Time, _abort.Token);
        }

        container.Signal(Libc.SigTerm);
        var over = Task.WhenAll(Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, graceOver), least);
        if (await Task.WhenAny(container.Exited, over).ConfigureAwait(false) == over)
        {
            container.Kill();
        }
    }
}
