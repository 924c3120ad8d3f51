using System.Runtime.InteropServices;
using LocalTraining.Trainer;

try
{
    var arguments = Arguments.Parse(args);
    using var contract = new Contract();
    using var ring = await Ring.ConnectAsync(contract.Rank, contract.Addresses, contract.Port);
    var training = new Training(arguments, contract, ring);
    const int Sigusr1 = 10;
    using var save = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create((PosixSignal)Sigusr1, c =>
    {
        c.Cancel = true;
        training.AskForCheckpoint();
    });
    try
    {
        training.Run();
        return 0;
    }
    catch (Exception e) when (e is InvalidDataException or InvalidOperationException or IOException)
    {
        // Ends with the connections still open: whoever fails first should be the first to be gone.
        Console.Error.WriteLine($"{e.GetType().Name}: {e.Message}\n{e.StackTrace}");
        Environment.Exit(1);
        return 1;
    }
}
catch (ArgumentException e)
{
    Console.Error.WriteLine($"trainer: {e.Message}");
    return 64;
}
catch (PeerLostException e)
{
    Console.Error.WriteLine($"peer lost: {e.Message}");
    return 13;
}
catch (Exception e) when (e is IOException or TimeoutException)
{
    Console.Error.WriteLine($"{e.GetType().Name}: {e.Message}\n{e.StackTrace}");
    return 1;
}
