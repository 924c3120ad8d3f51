namespace TrainingSupervisor.Testing.Runtime;

/// <summary>
/// Kills what containers leave behind when their main process ends. One look at the process table serves all containers
/// that ended before it began, however many they are.
/// </summary>
internal sealed class ProcessSweeper
{
    private readonly Lock _gate = new();
    private List<Request> _arrived = [];
    private bool _running;

    /// <summary>Completes when a whole look at the process table, begun after this call, has found nothing of the container.</summary>
    public Task SweepAsync(string container, int session)
    {
        if (!ProcessTree.IsSupported)
        {
            return Task.CompletedTask;
        }

        var request = new Request(container, session);
        lock (_gate)
        {
            _arrived.Add(request);
            if (!_running)
            {
                _running = true;
                _ = Task.Run(RunAsync);
            }
        }

        return request.Done.Task;
    }

    private async Task RunAsync()
    {
        var open = new List<Request>();
        while (true)
        {
            lock (_gate)
            {
                open.AddRange(_arrived);
                _arrived = [];
                if (open.Count == 0)
                {
                    _running = false;
                    return;
                }
            }

            try
            {
                KillAll(open);
            }
            catch (Exception e)
            {
                open.ForEach(r => r.Done.TrySetException(e));
            }

            foreach (var done in open.Where(r => !r.Found))
            {
                done.Done.TrySetResult();
            }

            // A process may fork while it is being looked for, and a killed one needs a moment to go.
            if (open.RemoveAll(r => !r.Found || r.Done.Task.IsCompleted) == 0 || open.Count > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(open.Max(r => ++r.Rounds) < 5 ? 1 : 10), TimeProvider.System).ConfigureAwait(false);
            }
        }
    }

    private static void KillAll(List<Request> requests)
    {
        var byContainer = requests.ToDictionary(r => r.Container);
        var bySession = requests.ToDictionary(r => r.Session);
        requests.ForEach(r => r.Found = false);
        ProcessTree.Visit((pid, session, container) =>
        {
            if (bySession.TryGetValue(session, out var request) || (container() is { } id && byContainer.TryGetValue(id, out request)))
            {
                request.Found = true;
                _ = Libc.Kill(pid, Libc.SigKill);
            }
        });
    }

    private sealed class Request(string container, int session)
    {
        public string Container { get; } = container;

        public int Session { get; } = session;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Found { get; set; }

        public int Rounds { get; set; }
    }
}
