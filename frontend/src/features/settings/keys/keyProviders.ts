/** What each provider calls the parts of its keys, and where one makes them. */
import type { KeyProvider } from '@/api/exchangeKeys'

interface ProviderForm {
  value: KeyProvider
  label: string
  /** The provider's name in a sentence. */
  name: string
  key: string
  secret: string
  passphrase?: string
  /** The secret has lines. */
  isLong?: boolean
  /** Where a key is made, and what to allow it. */
  advice: string
}

export const providers: readonly ProviderForm[] = [
  {
    value: 'crypto:binance', label: 'Binance', name: 'Binance', key: 'API key', secret: 'Secret key',
    advice: 'At Binance under API Management. Allow reading, and spot trading if you want that; leave withdrawals off.',
  },
  {
    value: 'crypto:bybit', label: 'Bybit', name: 'Bybit', key: 'API key', secret: 'API secret',
    advice: 'At Bybit under API, as a system-generated key. Read-only is enough for reading; leave withdrawals off.',
  },
  {
    value: 'crypto:coinbase', label: 'Coinbase', name: 'Coinbase', key: 'API key name', secret: 'Private key', isLong: true,
    advice: 'At Coinbase under API keys, with the signature algorithm ECDSA. Allow View, and Trade if you want that; leave Transfer off.',
  },
  {
    value: 'crypto:okx', label: 'OKX', name: 'OKX', key: 'API key', secret: 'Secret key', passphrase: 'Passphrase',
    advice: 'At OKX under API. Allow Read, and Trade if you want that; leave Withdraw off. The passphrase is the one that you chose for the key.',
  },
  {
    value: 'alpaca:paper', label: 'Alpaca, paper account', name: 'Alpaca', key: 'API key id', secret: 'Secret key',
    advice: 'At Alpaca on the page of your paper account, under API Keys. It begins with PK.',
  },
  {
    value: 'alpaca:live', label: 'Alpaca, live account', name: 'Alpaca', key: 'API key id', secret: 'Secret key',
    advice: 'At Alpaca on the page of your live account, under API Keys. It begins with AK, and trades with real money.',
  },
]

export function formOf(provider: KeyProvider | ''): ProviderForm | undefined {
  return providers.find(({ value }) => value === provider)
}
